"""Functions that C calls of what we hand out by Arrow's C interface.

Each lives as long as the process. They are machine code (`hocket.parquet.kernels.source.callbacks`)
that makes sure that Python may run, and calls it. Where no kernels are compiled, ctypes calls
Python directly: then an exception that is on its way while something is released is reported as one
that cannot be raised, and lost.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Final

from hocket.parquet.kernels.library import KERNEL

__all__ = ["ANSWER", "ERROR", "Callbacks"]

_Pointer = ctypes.c_void_p
#: What functions of a shared library are; kernels that are not compiled are plain functions.
_COMPILED: Final = type(ctypes.pythonapi.Py_IsInitialized).__mro__[1]

#: What the machine code calls of the interpreter, in the order of its table.
_INTERPRETER: Final = (
    "Py_IsInitialized",
    "PyGILState_Ensure",
    "PyErr_Fetch",
    "PyErr_Restore",
    "PyGILState_Release",
)
_RELEASING: Final = ("release_schema", "release_array", "release_stream", "release_capsule")
_GETTING: Final = ("get_schema", "get_next")
#: What each object begins with, as the kernel `release_capsule` has it.
_HEADER_NBYTES: Final = 16

#: Places in a block: what a stream answers, and where the words of its last error are.
ANSWER: Final = 4
ERROR: Final = 5
_BLOCK_LENGTH: Final = 6


class Callbacks:
    """The addresses of what C calls.

    Parameters
    ----------
    functions
        What to do in Python, by the names of the kernels: for each kind of release, given the
        structure's address; and for `get_schema` and `get_next`, given that of the stream and that
        of what is to be written. These put their answer into the stream's block and return it.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        found = _kernels()
        table = [0]
        self.is_compiled = _is_compiled(found)
        if self.is_compiled:
            table = [_address_of(ctypes.pythonapi[name]) for name in _INTERPRETER]
            table += [_callback(functions[name], None, 1) for name in _RELEASING]
            table += [_callback(functions[name], ctypes.c_int, 2) for name in _GETTING]
            addresses = {name: _address_of(each) for name, each in found.items()}
            if object.__basicsize__ != _HEADER_NBYTES:
                # The kernel would look for a capsule's content in the wrong place.
                alone = _alone(functions["release_capsule"])
                addresses["release_capsule"] = _callback(alone, None, 1)
        else:
            addresses = {name: _callback(_alone(functions[name]), None, 1) for name in _RELEASING}
            addresses |= {name: _callback(functions[name], ctypes.c_int, 2) for name in _GETTING}
            addresses["get_last_error"] = _callback(_last_error, _Pointer, 1)
        self._addresses = addresses
        self._table = (ctypes.c_int64 * len(table))(*table)
        # As long as what refers to it, which may be longer than any module.
        _keep_for_ever(self._table)

    def __getitem__(self, name: str) -> int:
        return self._addresses[name]

    @property
    def is_outdated(self) -> bool:
        """Whether the kernels have been compiled since this was made."""
        return not self.is_compiled and _is_compiled(_kernels())

    def block(self) -> Any:
        """Return new memory whose address a structure has as its `private_data`."""
        return (ctypes.c_int64 * _BLOCK_LENGTH)(ctypes.addressof(self._table))


def _kernels() -> dict[str, Any]:
    return {name: getattr(KERNEL, name) for name in (*_RELEASING, *_GETTING, "get_last_error")}


def _is_compiled(kernels: Mapping[str, Any]) -> bool:
    return all(isinstance(each, _COMPILED) for each in kernels.values())


def _callback(function: Callable[..., Any], result: Any, argument_count: int) -> int:
    """Return the address of a C function that calls a Python function with addresses."""
    made = ctypes.CFUNCTYPE(result, *[_Pointer] * argument_count)(function)
    # Consumers may call while the interpreter ends, when all modules have been cleared.
    _keep_for_ever(made)
    return _address_of(made)


def _keep_for_ever(what: Any) -> None:
    ctypes.pythonapi["Py_IncRef"](ctypes.py_object(what))


def _address_of(function: Any) -> int:
    address = ctypes.cast(function, _Pointer).value
    assert address is not None
    return address


def _last_error(stream: int, pointer: Any = _Pointer, error: int = ERROR) -> int | None:
    """Do as the kernel `get_last_error`."""
    block = pointer.from_address(stream + 32).value
    address: int | None = pointer.from_address(block + 8 * error).value
    return address


def _alone(function: Callable[[int], None]) -> Callable[[int], None]:
    """Return a function that may be called by ctypes although an exception is on its way."""
    fetch, restore = ctypes.pythonapi["PyErr_Fetch"], ctypes.pythonapi["PyErr_Restore"]
    pointer = _Pointer
    pending = (pointer(), pointer(), pointer())
    first, second, third = (ctypes.byref(each) for each in pending)

    def called(at: int) -> None:
        # Nothing may come before this: Python code does not run well while an exception is set.
        fetch(first, second, third)
        lost = [each.value for each in pending]
        function(at)
        if lost[0]:
            # This raises it again, and ctypes reports it: it cannot pass through C.
            restore(*map(pointer, lost))

    return called
