"""The primitives of the kernels' language as machine instructions, for Numba.

Each has the name of the function in `hocket.parquet.kernels.language` that it stands for. An
address is turned into a pointer by its fixed part, and the offset is added to the pointer: so LLVM
sees which loads and stores of a loop follow each other, and makes vectors of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

#: Declares a function that generates instructions.
_instruction: Final[Callable[[Callable[..., Any]], Any]] = intrinsic

_I64 = types.int64
_F64 = types.float64
_BYTE = ir.IntType(8)
_WORD = ir.IntType(64)


def _pointer(builder: Any, place: Any, kind: Any) -> Any:
    base, offset = place
    at = builder.gep(builder.inttoptr(base, _BYTE.as_pointer()), [offset])
    return builder.bitcast(at, kind.as_pointer())


def _load(bits: int, *, signed: bool = False) -> Any:
    @_instruction
    def load(_typing: Any, base: Any, offset: Any) -> Any:  # noqa: ARG001
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            value = builder.load(_pointer(builder, values, ir.IntType(bits)), align=1)
            if bits == 64:
                return value
            return builder.sext(value, _WORD) if signed else builder.zext(value, _WORD)

        return _I64(_I64, _I64), generate

    return load


def _load_float(kind: Any) -> Any:
    @_instruction
    def load(_typing: Any, base: Any, offset: Any) -> Any:  # noqa: ARG001
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            value = builder.load(_pointer(builder, values, kind), align=1)
            return (
                value if isinstance(kind, ir.DoubleType) else builder.fpext(value, ir.DoubleType())
            )

        return _F64(_I64, _I64), generate

    return load


def _store(bits: int) -> Any:
    @_instruction
    def store(_typing: Any, base: Any, offset: Any, value: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            what = values[2]
            if bits < 64:
                what = builder.trunc(what, ir.IntType(bits))
            builder.store(what, _pointer(builder, values[:2], ir.IntType(bits)), align=1)
            return context.get_dummy_value()

        return types.void(_I64, _I64, _I64), generate

    return store


def _store_float(kind: Any) -> Any:
    @_instruction
    def store(_typing: Any, base: Any, offset: Any, value: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            what = values[2]
            if not isinstance(kind, ir.DoubleType):
                what = builder.fptrunc(what, kind)
            builder.store(what, _pointer(builder, values[:2], kind), align=1)
            return context.get_dummy_value()

        return types.void(_I64, _I64, _F64), generate

    return store


def _move(nbytes: int) -> Any:
    @_instruction
    def move(_typing: Any, destination: Any, source: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            block = ir.VectorType(_BYTE, nbytes) if nbytes > 8 else _WORD
            to, from_ = (builder.inttoptr(value, block.as_pointer()) for value in values)
            builder.store(builder.load(from_, align=1), to, align=1)
            return context.get_dummy_value()

        return types.void(_I64, _I64), generate

    return move


def _unary(make: Any) -> Any:
    @_instruction
    def operation(_typing: Any, value: Any) -> Any:  # noqa: ARG001
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return make(builder, values[0])

        return _I64(_I64), generate

    return operation


load_8 = _load(8)
load_16 = _load(16)
load_32 = _load(32)
load_64 = _load(64)
load_signed_8 = _load(8, signed=True)
load_signed_16 = _load(16, signed=True)
load_signed_32 = _load(32, signed=True)
load_float32 = _load_float(ir.FloatType())
load_float64 = _load_float(ir.DoubleType())
store_8 = _store(8)
store_16 = _store(16)
store_32 = _store(32)
store_64 = _store(64)
store_float32 = _store_float(ir.FloatType())
store_float64 = _store_float(ir.DoubleType())
move_8 = _move(8)
move_16 = _move(16)
move_32 = _move(32)
wrap = _unary(lambda _builder, value: value)
population = _unary(lambda builder, value: builder.ctpop(value))
trailing_zeros = _unary(lambda builder, value: builder.cttz(value, ir.IntType(1)(0)))
reverse_bytes_64 = _unary(lambda builder, value: builder.bswap(value))
reverse_bytes_32 = _unary(
    lambda builder, value: builder.zext(builder.bswap(builder.trunc(value, ir.IntType(32))), _WORD)
)


@_instruction
def float_of_integer(_typing: Any, value: Any) -> Any:  # noqa: ARG001
    """See the language."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.sitofp(values[0], ir.DoubleType())

    return _F64(_I64), generate


@_instruction
def shift_right(_typing: Any, value: Any, count: Any) -> Any:  # noqa: ARG001
    """See the language."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.lshr(*values)

    return _I64(_I64, _I64), generate


@_instruction
def unsigned_less(_typing: Any, left: Any, right: Any) -> Any:  # noqa: ARG001
    """See the language."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.icmp_unsigned("<", *values)

    return types.boolean(_I64, _I64), generate


@_instruction
def copy(_typing: Any, destination: Any, source: Any, nbytes: Any) -> Any:  # noqa: ARG001
    """See the language."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        to, from_ = (builder.inttoptr(value, _BYTE.as_pointer()) for value in values[:2])
        cgutils.raw_memcpy(builder, to, from_, values[2], 1)
        return context.get_dummy_value()

    return types.void(_I64, _I64, _I64), generate


@_instruction
def fill(_typing: Any, destination: Any, byte: Any, nbytes: Any) -> Any:  # noqa: ARG001
    """See the language."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        to = builder.inttoptr(values[0], _BYTE.as_pointer())
        cgutils.memset(builder, to, values[2], builder.trunc(values[1], _BYTE))
        return context.get_dummy_value()

    return types.void(_I64, _I64, _I64), generate


@_instruction
def call(_typing: Any, function: Any, first: Any, second: Any, third: Any) -> Any:  # noqa: ARG001
    """See the language."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_WORD, _WORD, _WORD])
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])

    return _I64(_I64, _I64, _I64, _I64), generate
