"""Numba, less what it does for functions that are called from Python.

Numba's own target compiles each helper to machine code at once, wraps it for Python, and does both
anew for each constant that it is called with. Kernels are called through C and optimised as a whole
later, and LLVM specialises what is inlined: so here Numba types and lowers each function once, and
nothing else. That takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numba
from numba.core import codegen
from numba.core.registry import CPUDispatcher, CPUTarget, cpu_target

__all__ = ["callee", "link_into", "lowered"]


class _Library(codegen.AOTCodeLibrary):  # type: ignore[misc]
    """What one function was lowered to, neither optimised nor linked with what it calls."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout  # noqa: SLF001 - it is our own, too

    def finalize(self) -> None:
        """Leave it as it is."""
        self._finalized = True


class _Codegen(codegen.AOTCPUCodegen):  # type: ignore[misc]
    _library_class = _Library


class _Target(CPUTarget):  # type: ignore[misc]
    """Types as Numba's own target, and lowers into libraries of ours."""

    def __init__(self) -> None:
        super().__init__("cpu")
        cpu_target.target_context.refresh()
        self._context = cpu_target.target_context.subtarget(
            _internal_codegen=_Codegen("hocket"),
            # Only has to be another one for each function.
            get_executable=lambda *_: object(),
        )

    @property
    def typing_context(self) -> Any:
        """What Numba knows of types."""
        return cpu_target.typing_context

    @property
    def target_context(self) -> Any:
        """How Numba lowers."""
        return self._context


_TARGET: Final = _Target()


class _Dispatcher(CPUDispatcher):  # type: ignore[misc]
    """Stands for a helper where a kernel calls it."""

    targetdescr = _TARGET

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return how it is called, with constants as the integers that they are."""
        return super().get_call_template(tuple(numba.types.unliteral(each) for each in args), kws)

    def add_overload(self, result: Any) -> None:
        """Note what was compiled; Python never calls it."""
        self.overloads[tuple(result.signature.args)] = result


def callee(function: Callable[..., Any], *, is_inlined: bool = False) -> Any:
    """Return what a function is called by in those that Numba lowers.

    Parameters
    ----------
    function
        A helper whose globals Numba understands.
    is_inlined
        Whether its code goes into each caller.
    """
    options = {
        "nopython": True,
        "nogil": True,
        "boundscheck": False,
        "error_model": "numpy",
        "forceinline": is_inlined,
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
    return _Dispatcher(function, targetoptions=options)


def lowered(function: Callable[..., int], argument_count: int) -> tuple[Any, str]:
    """Return the library of a function of integers with an integer result, and its symbol there.

    Parameters
    ----------
    function
        A kernel whose globals Numba understands.
    argument_count
        How many arguments it takes.
    """
    arguments = (numba.int64,) * argument_count
    dispatcher = callee(function)
    dispatcher.compile(numba.int64(*arguments))
    result = dispatcher.overloads[arguments]
    return result.library, result.fndesc.llvm_func_name


def link_into(module: Any, library: Any, linked: set[Any]) -> None:
    """Link a function, and all that it calls, into a module of LLVM's.

    Parameters
    ----------
    module
        It grows.
    library
        What `lowered` returned.
    linked
        The libraries that are in the module; it grows as well.
    """
    if library in linked:
        return
    linked.add(library)
    if isinstance(library, _Library):
        # First what calls, since LLVM leaves out what nobody calls so far.
        module.link_in(library._final_module, preserve=True)  # noqa: SLF001 - it is our own
        for each in library._linking_libraries:  # noqa: SLF001
            link_into(module, each, linked)
    else:
        # One of Numba's own: of `max`, say.
        module.link_in(library._get_module_for_linking(), preserve=True)  # noqa: SLF001
