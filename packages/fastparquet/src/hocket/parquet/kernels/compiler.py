"""Compiles kernels to machine code, for one processor or for several, with Numba and LLVM.

Numba turns each kernel and each helper into LLVM's language, once and unoptimised; all that a group
of source modules needs is linked into one LLVM module with a plain C function around each kernel;
LLVM then optimises it for each processor wanted and emits position-independent code. What comes out
needs neither Numba nor Python: `hocket.parquet.kernels.library` loads it through ctypes.

This, `instructions` and `numba_target` alone import Numba, and nothing imports them unless
something is compiled.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, Final

from llvmlite import binding
from numba.core.compiler_lock import global_compiler_lock

from hocket.parquet.kernels import instructions, language, numba_target
from hocket.parquet.kernels.shared_library import SYMBOL_PREFIX
from hocket.parquet.kernels.translation import Translator

__all__ = ["assemble", "optimise_and_emit"]


def assemble(kernels: Iterable[Callable[..., int]]) -> str:
    """Return kernels in LLVM's language, unoptimised, each as a C function of 64-bit integers.

    Parameters
    ----------
    kernels
        Functions declared with `language.kernel`.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    whole = binding.parse_assembly("")
    wrappers = []
    linked: set[Any] = set()
    # Other threads' compiling waits.
    with global_compiler_lock:
        for kernel in kernels:
            count = kernel.__code__.co_argcount
            library, symbol = numba_target.lowered(_KNOWN.rebound(kernel), count)
            numba_target.link_into(whole, library, linked)
            wrappers.append(_wrapper(kernel, symbol))
    whole.link_in(binding.parse_assembly("\n".join(wrappers)))
    for each in (*whole.functions, *whole.global_variables):
        if each.is_declaration:
            if not each.name.startswith("llvm."):
                raise ValueError(f"kernels call {each.name}, which is not theirs")
        elif not each.name.startswith(SYMBOL_PREFIX):
            each.linkage = "internal"
    # Numba declares that signed arithmetic never overflows; the language says that it wraps around.
    return str(whole).replace(" nsw ", " ")


def optimise_and_emit(assembly: str, cpu: str = "", features: str = "") -> bytes:
    """Return the object code (position-independent) of what `assemble` made.

    Parameters
    ----------
    assembly
        LLVM's language.
    cpu
        LLVM's name of a processor (``"x86-64-v3"``); this machine's own, unless told.
    features
        LLVM's list of its features, when `cpu` does not say all.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    if not cpu:
        cpu, features = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="default"
    )
    module = binding.parse_assembly(assembly)
    tuning = binding.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = True
    tuning.loop_unrolling = True
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def _wrapper(kernel: Callable[..., int], symbol: str) -> str:
    """Return a C function around a function with Numba's calling convention."""
    count = kernel.__code__.co_argcount
    declared = ", ".join(["ptr", "ptr", *["i64"] * count])
    taken = ", ".join(f"i64 %a{index}" for index in range(count))
    passed = ", ".join(["ptr %result", "ptr %fault", *(f"i64 %a{i}" for i in range(count))])
    return f"""
declare i32 @"{symbol}"({declared})
define i64 @{SYMBOL_PREFIX}{kernel.__name__}({taken}) {{
  %result = alloca i64
  %fault = alloca ptr
  store i64 0, ptr %result
  %status = call i32 @"{symbol}"({passed})
  %value = load i64, ptr %result
  ret i64 %value
}}"""


class _Compiling(Translator):
    """Puts machine instructions for the primitives, and what Numba compiles for each helper."""

    def __init__(self) -> None:
        super().__init__({name: getattr(instructions, name) for name in language.PRIMITIVES})

    def callee(self, function: types.FunctionType, *, is_inlined: bool) -> Any:
        """Return what Numba compiles when a kernel calls a helper."""
        return numba_target.callee(function, is_inlined=is_inlined)


#: Keeps what was lowered: modules share helpers.
_KNOWN: Final = _Compiling()
