"""Progress: a bar for each kind of task, drawn until all futures are done."""

from __future__ import annotations

from typing import Any, Protocol

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
from hocket.client.notebook_bars import NotebookBars, is_notebook
from hocket.client.waiting import as_completed, run_for

__all__ = ["progress"]

_LABEL_WIDTH = 24


def progress(*futures: Any, console: Console | None = None) -> Any:
    """Draw bars in terminal or notebook until futures are done; errors are counted, not raised.

    For futures of an asynchronous client, return what is to be awaited.

    Parameters
    ----------
    *futures
        Futures, also nested in lists, tuples, sets and dicts.
    console
        Of rich, to draw on; without it, the notebook's output, or the standard error.
    """
    found = find_futures(futures)
    totals: dict[str, int] = {}
    for future in found:
        label = _label_of(future)
        totals[label] = totals.get(label, 0) + 1
    bars: _Bars
    if console is None and is_notebook():
        bars = NotebookBars(totals)
    else:
        bars = _TerminalBars(totals, console or Console(stderr=True))
    return run_for(found, _draw(bars, found, totals))


class _Bars(Protocol):
    """Where progress is drawn."""

    def __enter__(self) -> object:
        """Begin to draw."""

    def __exit__(self, *_error: object) -> None:
        """Draw what is there at the end."""

    def advance(self, label: str, count: int, failed: int) -> None:
        """Take note that so many more are done, and how many have failed by now."""


class _TerminalBars:
    def __init__(self, totals: dict[str, int], console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[errors]}", style="red"),
            console=console,
        )
        self._totals = totals
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> object:
        self._progress.start()
        self._bars = {
            label: self._progress.add_task(
                f"{label:{_LABEL_WIDTH}.{_LABEL_WIDTH}}", total=total, errors=""
            )
            for label, total in self._totals.items()
        }
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def advance(self, label: str, count: int, failed: int) -> None:
        text = f"{failed} failed" if failed else ""
        self._progress.update(self._bars[label], advance=count, errors=text)


async def _draw(bars: _Bars, futures: list[Future], totals: dict[str, int]) -> None:
    with bars:
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
                    bars.advance(label, count, errors[label])


def _label_of(future: Future) -> str:
    """Return what a key begins with: keys are made as label, token, number."""
    key = future.key
    parts = key.rsplit("-", 2)
    return parts[0] if len(parts) == 3 else key.partition("-")[0]
