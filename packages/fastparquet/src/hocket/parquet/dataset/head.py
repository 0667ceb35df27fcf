"""The first rows of what a selection gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hocket.parquet.dataset.chosen import Chosen
from hocket.parquet.dataset.plan import Part
from hocket.parquet.decode.selection import take_rows
from hocket.parquet.records import replace

__all__ = ["first_rows"]


def first_rows(
    groups: Sequence[int], count: int, choose: Callable[[tuple[int, ...]], Chosen]
) -> Chosen:
    """Return the first rows, looking at no more row groups than that takes.

    Parameters
    ----------
    groups
        The row groups.
    count
        How many rows are wanted.
    choose
        Returns the rows that some row groups give.
    """
    result = Chosen([])
    for group in groups:
        if count <= 0:
            break
        chosen = choose((group,))
        for number, part in enumerate(chosen.parts):
            at, taken = len(result.parts), min(part.count, count)
            result.parts.append(_beginning(part, taken))
            for (owner, leaf), column in chosen.kept.items():
                if owner == number:
                    kept = take_rows(column, np.arange(taken), None, None)
                    result.kept[at, leaf] = kept
            count -= taken
    return result


def _beginning(part: Part, count: int) -> Part:
    if count == part.count:
        return part
    rows = np.arange(count) if part.rows is None else part.rows[:count]
    return replace(part, count=count, rows=rows)
