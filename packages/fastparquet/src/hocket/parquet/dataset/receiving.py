"""Where decoded columns go: what reading asks of whoever assembles a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np

from hocket.parquet.decode.column import ColumnData
from hocket.parquet.decode.target import Target
from hocket.parquet.nesting.fields import Field
from hocket.parquet.records import dataclass

__all__ = ["ANYWHERE", "Collected", "Decode", "Place", "Receiver"]

_Array = np.ndarray[Any, Any]
Made = TypeVar("Made")


class Place(NamedTuple):
    """Where a leaf is decoded to; `hocket.parquet.assemble.column_builder.Place` is the same.

    Parameters
    ----------
    values, valid
        Arrays for values and validity; None where the decoder makes its own.
    wants_valid
        Whether validity is needed if there are nulls.
    """

    values: _Array | None
    valid: _Array | None
    wants_valid: bool


ANYWHERE: Final = Place(None, None, wants_valid=True)

#: Decodes one leaf of a part: its position in `Field.leaves`, the target, and a `Place`.
Decode = Callable[[int, Target, Any], ColumnData]


@dataclass(frozen=True, slots=True)
class Receiver:
    """A column of a result.

    Parameters
    ----------
    field
        The column.
    fill
        Called once for each part (row group), from many threads: with the number of the part, and
        with what decodes its leaves.
    wants_levels
        Whether levels are needed.
    whole
        The place of the whole column, if chunks can be decoded into it without `fill`: a
        `hocket.parquet.assemble.column_builder.Whole`.
    """

    field: Field
    fill: Callable[[int, Decode], None]
    wants_levels: bool = False
    whole: Any = None


class Collected(Generic[Made]):
    """Keeps what is made of each part of a column, by the thread that decodes it.

    Parameters
    ----------
    field
        The column.
    targets
        What to decode each of its leaves to.
    parts
        How many parts there are.
    make
        Called with the number of a part and its decoded leaves, from many threads.
    wants_levels
        Whether levels are needed.
    """

    def __init__(
        self,
        field: Field,
        targets: Sequence[Target],
        parts: int,
        make: Callable[[int, tuple[ColumnData, ...]], Made],
        *,
        wants_levels: bool = False,
    ) -> None:
        self.field = field
        self._made: list[Made | None] = [None] * parts
        self._make = make
        self._targets = tuple(targets)
        self._wants_levels = wants_levels

    @property
    def receiver(self) -> Receiver:
        """What reading fills it through."""
        return Receiver(self.field, self._fill, wants_levels=self._wants_levels)

    def take(self, part: int) -> Made:
        """Return what was made of a part, once."""
        made, self._made[part] = self._made[part], None
        assert made is not None
        return made

    def _fill(self, part: int, decode: Decode) -> None:
        leaves = tuple(decode(leaf, target, ANYWHERE) for leaf, target in enumerate(self._targets))
        self._made[part] = self._make(part, leaves)
