"""Bars of progress in the output of a notebook, drawn as HTML: no widgets are needed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from time import monotonic
from typing import Any, Final, Self

__all__ = ["NotebookBars", "is_notebook"]

#: The shortest time between two drawings, in seconds.
_INTERVAL_S: Final = 0.1


def is_notebook() -> bool:
    """Whether what is displayed here goes to a notebook."""
    # (Who has not imported IPython is in none.)
    module: Any = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@dataclass(slots=True)
class _Bar:
    label: str
    total: int
    done: int = 0
    failed: int = 0


class NotebookBars:
    """A bar for each kind of task.

    Parameters
    ----------
    totals
        How many tasks there are, by label.
    """

    def __init__(self, totals: dict[str, int]) -> None:
        self._bars = {label: _Bar(label, total) for label, total in totals.items()}
        self._began_s = self._drawn_s = monotonic()
        self._display: Any = None

    def __enter__(self) -> Self:
        # (It is no dependency of ours; where there is a notebook, it has imported this.)
        module: Any = sys.modules["IPython.display"]
        self._display = module.display(self, display_id=True)
        return self

    def __exit__(self, *_error: object) -> None:
        self._display.update(self)

    def advance(self, label: str, count: int, failed: int) -> None:
        """Take note that so many more are done, and how many have failed by now."""
        bar = self._bars[label]
        bar.done += count
        bar.failed = failed
        if monotonic() - self._drawn_s >= _INTERVAL_S:
            self._drawn_s = monotonic()
            self._display.update(self)

    def __repr__(self) -> str:
        return ", ".join(f"{bar.label} {bar.done}/{bar.total}" for bar in self._bars.values())

    def _repr_html_(self) -> str:
        rows = "".join(map(_row, self._bars.values()))
        return f"<table>{rows}</table><small>{monotonic() - self._began_s:.1f} s</small>"


def _row(bar: _Bar) -> str:
    failed = f", {bar.failed} failed" if bar.failed else ""
    return (
        f'<tr><td style="text-align: left">{escape(bar.label)}</td>'
        f'<td><progress max="{bar.total}" value="{bar.done}" style="width: 20em"></progress></td>'
        f'<td style="text-align: left">{bar.done} of {bar.total}{failed}</td></tr>'
    )
