"""Progress: a bar for each kind of task, drawn until all futures are done."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from hocket.client.futures import Future
from hocket.client.gather import find_futures
from hocket.client.waiting import as_completed, run_for

__all__ = ["progress"]

_LABEL_WIDTH = 24


def progress(*futures: Any, console: Console | None = None) -> Any:
    """Draw bars in the terminal until futures are done; errors are counted, not raised.

    For futures of an asynchronous client, return what is to be awaited.

    Parameters
    ----------
    *futures
        Futures, also nested in lists, tuples, sets and dicts.
    console
        Of rich, to draw on; without it, the standard error.
    """
    found = find_futures(futures)
    totals: dict[str, int] = {}
    for future in found:
        label = _label_of(future)
        totals[label] = totals.get(label, 0) + 1
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[errors]}", style="red"),
        console=console or Console(stderr=True),
    )
    return run_for(found, _draw(bars, found, totals))


async def _draw(bars: Progress, futures: list[Future], totals: dict[str, int]) -> None:
    with bars:
        await _draw_each(bars, futures, totals)


async def _draw_each(bars: Progress, futures: list[Future], totals: dict[str, int]) -> None:
    bar_of: dict[str, TaskID] = {
        label: bars.add_task(f"{label:{_LABEL_WIDTH}.{_LABEL_WIDTH}}", total=total, errors="")
        for label, total in totals.items()
    }
    errors = dict.fromkeys(totals, 0)
    completed = as_completed(futures)
    while batch := await completed.wait_for_batch():
        done = dict.fromkeys(totals, 0)
        for future in batch:
            label = _label_of(future)
            done[label] += 1
            errors[label] += future.status != "finished"
        for label, count in done.items():
            if count:
                text = f"{errors[label]} failed" if errors[label] else ""
                bars.update(bar_of[label], advance=count, errors=text)


def _label_of(future: Future) -> str:
    """Return what a key begins with: keys are made as label, token, number."""
    key = future.key
    parts = key.rsplit("-", 2)
    return parts[0] if len(parts) == 3 else key.partition("-")[0]
