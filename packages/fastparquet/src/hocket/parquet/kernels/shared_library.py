"""Shared libraries of kernels: their names, and calling what is in them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Final

__all__ = ["SYMBOL_PREFIX", "function_at", "function_in", "suffix"]

#: Exported functions are called this and the kernel's name.
SYMBOL_PREFIX: Final = "hocket_"


def suffix() -> str:
    """Return what the names of shared libraries end with here."""
    return ".dylib" if sys.platform == "darwin" else ".so"


def function_in(library: ctypes.CDLL, name: str, argument_count: int) -> Callable[..., int]:
    """Return a kernel of an open library; calling it releases the GIL."""
    function = library[f"{SYMBOL_PREFIX}{name}"]
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_int64] * argument_count
    return function


def function_at(address: int, argument_count: int) -> Callable[..., int]:
    """Return a kernel whose code lies at an address; calling it releases the GIL."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * argument_count)(address)
