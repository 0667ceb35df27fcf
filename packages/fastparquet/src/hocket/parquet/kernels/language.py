"""The language of the kernels: what they may do to memory, and how they are declared.

A kernel is a function of 64-bit integers: addresses, counts, widths. It allocates nothing, raises
nothing, knows no Python object, checks every length before it reads, and returns 0 or more when all
is well, or a negative number of `hocket.parquet.kernels.faults`.

The functions here are what kernels are made of. As they stand they work in plain Python, through
ctypes, so that each kernel can be run, stepped through and tested as it is written;
`hocket.parquet.kernels.compiler` replaces them by machine instructions, and the tests by a memory
that knows its bounds.

Rules that keep the three the same:

* All values are signed 64-bit integers (floats only as results of `load_float*`). Never mix in
  unsigned types: Numba makes a float of an int64 and a uint64.
* Compiled arithmetic wraps around; Python's grows. Where a sum, product or left shift may pass 64
  bits, put it into `wrap`; right shifts of bit patterns are `shift_right`, which brings in zeros.
* Loads and stores take a base address and an offset in bytes. Keep the base fixed in a loop and
  move the offset (``load_64(base, i * 8)``): then loops become vector instructions.
* Constants are module-level names bound to ints. No closures, no globals that change, no strings,
  no tuples but as several results of a helper, no `try`, no recursion.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final, TypeVar

__all__ = [
    "HELPERS",
    "INLINED",
    "KERNELS",
    "PRIMITIVES",
    "call",
    "copy",
    "fill",
    "float_of_integer",
    "helper",
    "inlined",
    "kernel",
    "load_8",
    "load_16",
    "load_32",
    "load_64",
    "load_float32",
    "load_float64",
    "load_signed_8",
    "load_signed_16",
    "load_signed_32",
    "move_8",
    "move_16",
    "move_32",
    "population",
    "reverse_bytes_32",
    "reverse_bytes_64",
    "shift_right",
    "store_8",
    "store_16",
    "store_32",
    "store_64",
    "store_float32",
    "store_float64",
    "trailing_zeros",
    "unsigned_less",
    "wrap",
]

_F = TypeVar("_F", bound=Callable[..., Any])

#: What is called from outside: name -> function. All arguments and the result are integers.
KERNELS: Final[dict[str, Callable[..., int]]] = {}
#: What only kernels call.
HELPERS: Final[dict[Callable[..., Any], None]] = {}
#: Helpers whose code is put into each caller, so that constant arguments specialise it.
INLINED: Final[dict[Callable[..., Any], None]] = {}
#: The functions below that the compiler replaces: name -> function.
PRIMITIVES: Final[dict[str, Callable[..., Any]]] = {}


def kernel(function: _F) -> _F:
    """Declare a kernel: a function of integers with an integer result, callable from outside."""
    name = function.__name__
    if name in KERNELS and KERNELS[name].__module__ != function.__module__:
        raise ValueError(f"two kernels are called {name!r}")
    KERNELS[name] = function
    return function


def helper(function: _F) -> _F:
    """Declare a function that kernels call; it may have several results (a tuple of integers)."""
    HELPERS[function] = None
    return function


def inlined(function: _F) -> _F:
    """Declare a helper whose code goes into each caller: constant arguments then cost nothing."""
    INLINED[function] = None
    return function


def _primitive(function: _F) -> _F:
    PRIMITIVES[function.__name__] = function
    return function


_U8, _U16, _U32 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32
_I8, _I16, _I32, _I64 = ctypes.c_int8, ctypes.c_int16, ctypes.c_int32, ctypes.c_int64
_F32, _F64 = ctypes.c_float, ctypes.c_double
_MASK: Final = (1 << 64) - 1


# ------------------------------------------------------------------------------------- numbers


@_primitive
def wrap(value: int) -> int:
    """Return a number as 64 bits hold it, signed."""
    return ((value + (1 << 63)) & _MASK) - (1 << 63)


@_primitive
def shift_right(value: int, count: int) -> int:
    """Shift 64 bits to the right and bring in zeros; ``0 <= count < 64``."""
    return wrap((value & _MASK) >> count)


@_primitive
def unsigned_less(left: int, right: int) -> bool:
    """Compare two 64-bit patterns as unsigned numbers."""
    return (left & _MASK) < (right & _MASK)


@_primitive
def reverse_bytes_64(value: int) -> int:
    """Return eight bytes in opposite order."""
    return int.from_bytes((value & _MASK).to_bytes(8, "little"), "big", signed=True)


@_primitive
def reverse_bytes_32(value: int) -> int:
    """Return the lower four bytes in opposite order, not negative."""
    return int.from_bytes((value & 0xFFFFFFFF).to_bytes(4, "little"), "big")


@_primitive
def population(value: int) -> int:
    """Count the ones among 64 bits."""
    return (value & _MASK).bit_count()


@_primitive
def trailing_zeros(value: int) -> int:
    """Count the zeros below the lowest one; 64 if there is none."""
    bits = value & _MASK
    return (bits & -bits).bit_length() - 1 if bits else 64


@_primitive
def float_of_integer(value: int) -> float:
    """Return the nearest double."""
    return float(value)


# --------------------------------------------------------------------------------------- loads


@_primitive
def load_8(base: int, offset: int) -> int:
    """Load a byte, 0 to 255."""
    return _U8.from_address(base + offset).value


@_primitive
def load_16(base: int, offset: int) -> int:
    """Load two bytes, little-endian, not negative."""
    return _U16.from_address(base + offset).value


@_primitive
def load_32(base: int, offset: int) -> int:
    """Load four bytes, little-endian, not negative."""
    return _U32.from_address(base + offset).value


@_primitive
def load_64(base: int, offset: int) -> int:
    """Load eight bytes, little-endian, signed."""
    return _I64.from_address(base + offset).value


@_primitive
def load_signed_8(base: int, offset: int) -> int:
    """Load a byte, -128 to 127."""
    return _I8.from_address(base + offset).value


@_primitive
def load_signed_16(base: int, offset: int) -> int:
    """Load two bytes, little-endian, signed."""
    return _I16.from_address(base + offset).value


@_primitive
def load_signed_32(base: int, offset: int) -> int:
    """Load four bytes, little-endian, signed."""
    return _I32.from_address(base + offset).value


@_primitive
def load_float32(base: int, offset: int) -> float:
    """Load a single, as a double."""
    return _F32.from_address(base + offset).value


@_primitive
def load_float64(base: int, offset: int) -> float:
    """Load a double."""
    return _F64.from_address(base + offset).value


# -------------------------------------------------------------------------------------- stores


@_primitive
def store_8(base: int, offset: int, value: int) -> None:
    """Store the lowest byte."""
    _U8.from_address(base + offset).value = value


@_primitive
def store_16(base: int, offset: int, value: int) -> None:
    """Store the lowest two bytes."""
    _U16.from_address(base + offset).value = value


@_primitive
def store_32(base: int, offset: int, value: int) -> None:
    """Store the lowest four bytes."""
    _U32.from_address(base + offset).value = value


@_primitive
def store_64(base: int, offset: int, value: int) -> None:
    """Store eight bytes."""
    _I64.from_address(base + offset).value = value


@_primitive
def store_float32(base: int, offset: int, value: float) -> None:
    """Store a double as the nearest single, or as infinity."""
    _F32.from_address(base + offset).value = value


@_primitive
def store_float64(base: int, offset: int, value: float) -> None:
    """Store a double."""
    _F64.from_address(base + offset).value = value


# --------------------------------------------------------------------------------------- blocks


@_primitive
def move_8(destination: int, source: int) -> None:
    """Copy 8 bytes through a register: all are read before any is written."""
    ctypes.memmove(destination, source, 8)


@_primitive
def move_16(destination: int, source: int) -> None:
    """Copy 16 bytes through a register."""
    ctypes.memmove(destination, source, 16)


@_primitive
def move_32(destination: int, source: int) -> None:
    """Copy 32 bytes through a register."""
    ctypes.memmove(destination, source, 32)


@_primitive
def copy(destination: int, source: int, nbytes: int) -> None:
    """Copy bytes that do not overlap."""
    ctypes.memmove(destination, source, nbytes)


@_primitive
def fill(destination: int, byte: int, nbytes: int) -> None:
    """Set bytes to one value."""
    ctypes.memset(destination, byte, nbytes)


# --------------------------------------------------------------------------------------- calls

_C_FUNCTION: Final = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 3)


@_primitive
def call(function: int, first: int, second: int, third: int) -> int:
    """Call a C function by its address, with as many of the arguments as it takes."""
    return int(_C_FUNCTION(function)(first, second, third))
