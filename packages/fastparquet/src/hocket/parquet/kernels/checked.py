"""Runs kernels as they are written, in a memory that knows its bounds: for tests.

Compiled kernels check what the file says and trust their callers; nothing checks them. Here each
load and store has to fall into a block that was allowed before, and each number has to be one that
64 bits hold, unless it goes straight into `wrap`. A kernel that passes its tests here for every
input tried reads and writes nothing it must not, and computes in 64 bits what it computes in
Python::

    memory = CheckedMemory()
    source = memory.source(page)              # a copy, with poison after its end
    room = memory.room(8 * count)             # where the result goes
    answer = memory.kernel("decode_levels")(source, len(page), address(room), count)

What comes out must not depend on what lies behind a source's end: run it in two memories, one with
`poison` 0 and one with 255, and compare.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.kernels import catalogue, language
from hocket.parquet.kernels.translation import Translator

__all__ = ["PADDING_NBYTES", "CheckedMemory", "KernelOverflow", "KernelTrespass"]

#: As many bytes after a source's end may be read, though nothing may be made of them.
PADDING_NBYTES: Final = 64

#: Between blocks made here: what runs out of one does not run into the next.
_MARGIN_NBYTES: Final = 4096

_LOADS: Final = {
    "load_8": 1,
    "load_16": 2,
    "load_32": 4,
    "load_64": 8,
    "load_float32": 4,
    "load_float64": 8,
    "load_signed_8": 1,
    "load_signed_16": 2,
    "load_signed_32": 4,
}
_STORES: Final = {
    "store_8": 1,
    "store_16": 2,
    "store_32": 4,
    "store_64": 8,
    "store_float32": 4,
    "store_float64": 8,
}
_MOVES: Final = {"move_8": 8, "move_16": 16, "move_32": 32}


class KernelTrespass(AssertionError):
    """A kernel read or wrote outside of what it was given."""


class KernelOverflow(AssertionError):
    """A kernel computed a number that 64 bits do not hold, outside of `wrap`."""


class CheckedMemory(Translator):
    """A memory of allowed blocks, and kernels that run in it.

    Parameters
    ----------
    poison
        The byte that lies behind the end of each `source`, and everywhere in each `room`.
    """

    def __init__(self, *, poison: int = 0xA5) -> None:
        super().__init__(
            {name: self._guarded(name, each) for name, each in language.PRIMITIVES.items()}
        )
        self._poison = poison
        self._starts: list[int] = []
        #: First address, first behind it, first behind what may be read, and whether writable.
        self._blocks: list[tuple[int, int, int, bool]] = []
        self._alive: list[Any] = []

    def allow(self, array: NDArray[Any], *, writable: bool = False, padding_nbytes: int = 0) -> int:
        """Allow an array as it lies, and return its address.

        Parameters
        ----------
        array
            Contiguous; it is kept alive.
        writable
            Whether kernels may write into it.
        padding_nbytes
            How many bytes behind its end are there and may be read.
        """
        if not array.flags.c_contiguous:
            raise ValueError("only contiguous arrays can be allowed")
        start: int = array.__array_interface__["data"][0]
        end = start + array.nbytes
        at = bisect_right(self._starts, start)
        self._starts.insert(at, start)
        self._blocks.insert(at, (start, end, end + padding_nbytes, writable))
        self._alive.append(array)
        return start

    def source(self, data: bytes | bytearray | memoryview | NDArray[Any]) -> int:
        """Copy bytes to where kernels may read them, and return the address of the copy."""
        values = np.frombuffer(data, np.uint8)
        block = self._new(values.size, PADDING_NBYTES)
        block[:] = values
        return self.allow(block, padding_nbytes=PADDING_NBYTES)

    def room(self, nbytes: int, *, spare_nbytes: int = 0) -> NDArray[np.uint8]:
        """Return new bytes into which kernels may write.

        Parameters
        ----------
        nbytes
            The length of the result.
        spare_nbytes
            How many more may be written behind that; they are not in the result.
        """
        block = self._new(nbytes + spare_nbytes, 0)
        self.allow(block, writable=True)
        return block[:nbytes]

    def kernel(self, name: str) -> Callable[..., int]:
        """Return a kernel that runs in this memory."""
        subject = catalogue.subject_of(name)
        if subject is None:
            raise ValueError(f"there is no kernel {name!r}")
        written = {each.__name__: each for each in catalogue.kernels_of(subject)}
        return self.rebound(written[name])

    def code(self, function: types.FunctionType) -> types.CodeType:
        """Return the code of a function with every result checked to fit into 64 bits."""
        return _arithmetic_checked(function)

    def rebound(self, function: Callable[..., Any]) -> types.FunctionType:
        """Return a function with translated globals."""
        made = super().rebound(function)
        made.__globals__.update(_CHECKS)
        return made

    def _new(self, nbytes: int, padding_nbytes: int) -> NDArray[np.uint8]:
        whole = np.full(nbytes + padding_nbytes + 2 * _MARGIN_NBYTES, self._poison, np.uint8)
        return whole[_MARGIN_NBYTES:][:nbytes]

    def _check(self, start: int, nbytes: int, *, is_write: bool) -> None:
        if nbytes == 0:
            return
        if nbytes < 0:
            raise KernelTrespass(f"{nbytes} bytes at {start:#x}")
        at = bisect_right(self._starts, start) - 1
        # Blocks may lie in each other: a slice of what is readable may be writable, too.
        for first, end, readable_end, writable in reversed(self._blocks[: at + 1]):
            last = end if is_write else readable_end
            if first <= start and start + nbytes <= last and (writable or not is_write):
                return
        raise KernelTrespass(
            f"{'writes' if is_write else 'reads'} {nbytes} bytes at {self._place(start)}"
        )

    def _place(self, start: int) -> str:
        """Tell where an address lies, by the nearest block."""
        if not self._blocks:
            return f"{start:#x}; nothing is allowed"
        first, end, _, writable = min(
            self._blocks, key=lambda each: max(each[0] - start, start - each[1], 0)
        )
        kind = "writable" if writable else "readable"
        return f"offset {start - first} of a {kind} block of {end - first} bytes"

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a primitive that checks its addresses first."""

        def load(base: int, offset: int) -> Any:
            self._check(base + offset, _LOADS[name], is_write=False)
            return function(base, offset)

        def store(base: int, offset: int, value: Any) -> None:
            self._check(base + offset, _STORES[name], is_write=True)
            function(base, offset, value)

        def move(destination: int, source: int, nbytes: int = _MOVES.get(name, 0)) -> None:
            self._check(source, nbytes, is_write=False)
            self._check(destination, nbytes, is_write=True)
            if name in _MOVES:
                function(destination, source)
            elif destination < source + nbytes and source < destination + nbytes and nbytes:
                raise KernelTrespass(f"copies {nbytes} bytes onto themselves")
            else:
                function(destination, source, nbytes)

        def fill(destination: int, byte: int, nbytes: int) -> None:
            self._check(destination, nbytes, is_write=True)
            function(destination, byte, nbytes)

        def shift(value: int, count: int) -> Any:
            return function(value, _shift_count(count))

        if name in _LOADS:
            return load
        if name in _STORES:
            return store
        if name in _MOVES or name == "copy":
            return move
        others: dict[str, Callable[..., Any]] = {"fill": fill, "shift_right": shift}
        return others.get(name, function)


# --------------------------------------------------------------------------------- arithmetic


def _within_64_bits(value: Any) -> Any:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise KernelOverflow(f"{value} does not fit into 64 bits; if it is to wrap, say so: wrap()")
    return value


def _shift_count(count: int) -> int:
    if not 0 <= count < 64:
        raise KernelOverflow(f"a shift by {count}")
    return count


_CHECKS: Final = {"_within_64_bits": _within_64_bits, "_shift_count": _shift_count}

#: Where results are right in the lowest 64 bits if their operands are: only the last one counts.
_RING: Final = (ast.Add, ast.Sub, ast.Mult, ast.LShift, ast.BitAnd, ast.BitOr, ast.BitXor)


@cache
def _arithmetic_checked(function: types.FunctionType) -> types.CodeType:
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    (definition,) = tree.body
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{function!r} is not written as a function")
    definition.decorator_list.clear()
    definition.body = [_Checks().visit(each) for each in definition.body]
    tree = ast.increment_lineno(ast.fix_missing_locations(tree), first - 1)
    path = inspect.getsourcefile(function) or "<kernel>"
    made = compile(tree, path, "exec", dont_inherit=True)
    return next(each for each in made.co_consts if isinstance(each, types.CodeType))


class _Checks(ast.NodeTransformer):
    """Puts a check around all arithmetic but that which is handed to `wrap`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """See `ast.NodeTransformer`."""
        return _called("_within_64_bits", self._operation(node))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """See `ast.NodeTransformer`."""
        changed = self._operation(node)
        if isinstance(node.op, ast.Not) or isinstance(node.operand, ast.Constant):
            return changed
        return _called("_within_64_bits", changed)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        """See `ast.NodeTransformer`."""
        if not isinstance(node.target, ast.Name):
            raise TypeError(f"line {node.lineno}: kernels know names alone")
        before = ast.Name(node.target.id, ast.Load())
        after = ast.BinOp(before, node.op, node.value)
        return ast.copy_location(ast.Assign([node.target], self.visit(after)), node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """See `ast.NodeTransformer`."""
        if isinstance(node.func, ast.Name) and node.func.id == "wrap":
            node.args = [self._operation(each) for each in node.args]
            return node
        return self.generic_visit(node)  # type: ignore[return-value]

    def _operation(self, node: ast.expr) -> ast.expr:
        """Visit what is inside an expression, without a check of its own result."""
        if isinstance(node, ast.BinOp):
            is_ring = isinstance(node.op, _RING)
            node.left = self._operation(node.left) if is_ring else self.visit(node.left)
            if isinstance(node.op, (ast.LShift, ast.RShift)):
                node.right = _called("_shift_count", self.visit(node.right))
            else:
                node.right = self._operation(node.right) if is_ring else self.visit(node.right)
            return node
        if isinstance(node, ast.UnaryOp):
            ring = isinstance(node.op, (ast.USub, ast.UAdd, ast.Invert))
            node.operand = self._operation(node.operand) if ring else self.visit(node.operand)
            return node
        return self.visit(node)  # type: ignore[no-any-return]


def _called(name: str, argument: ast.expr) -> ast.expr:
    call = ast.Call(ast.Name(name, ast.Load()), [argument], [])
    return ast.copy_location(call, argument)
