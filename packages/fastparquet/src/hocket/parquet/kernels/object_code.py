"""Loads object code where no linker makes a shared library of it: with LLVM's own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

from llvmlite import binding

from hocket.parquet.kernels.shared_library import SYMBOL_PREFIX, function_at

__all__ = ["functions_of"]


def functions_of(
    object_code: bytes, argument_counts: Mapping[str, int]
) -> dict[str, Callable[..., int]]:
    """Load object code and return the kernels in it.

    Parameters
    ----------
    object_code
        What `hocket.parquet.kernels.compiler` emitted for this processor.
    argument_counts
        How many arguments each kernel in it takes.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    for name in ("memcpy", "memset", "memmove"):
        code = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
        binding.add_symbol(name, code)
    file = binding.ObjectFileRef.from_data(object_code)
    engine.add_object_file(file)
    engine.finalize_object()
    functions = {
        name: function_at(engine.get_function_address(f"{SYMBOL_PREFIX}{name}"), count)
        for name, count in argument_counts.items()
    }
    # Functions know nothing of the memory that their code lies in, and C may call them as long as
    # there is a process: it is never given back.
    engine.detach()
    file.detach()
    return functions
