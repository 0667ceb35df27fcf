"""Explanations: why a task is where it is, as a value for programs and as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hocket.core.errors import RemoteProtocolError
from hocket.protocol.messages import Explanation

__all__ = ["Explained", "explained_of"]

#: Keys, workers or reasons that the text shows; the attributes have all.
_SHOWN_COUNT: Final = 10


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a task is where it is; what `Client.why` returns. Its ``str`` is for people.

    Attributes
    ----------
    key
        Of the task.
    state
        ``"waiting"``, ``"queued"``, ``"assigned"``, ``"recalled"``, ``"stored"``, ``"failed"`` or
        ``"released"``; empty if the scheduler knows nothing of the key.
    text
        In words: what it waits for, or what became of it.
    waits_for
        Keys of the inputs that have no values yet.
    workers
        The worker that has the task now, or those that hold its value.
    refusals
        By the name of each worker that was considered: why it does not get the task now.
    """

    key: str
    state: str
    text: str
    waits_for: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    refusals: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.state:
            return f"{self.key!r}: {self.text or 'the scheduler knows nothing of it'}"
        lines = [f"{self.key!r} is {self.state}" + (f": {self.text}" if self.text else "")]
        if self.waits_for:
            lines.append(f"  it waits for {_listed([repr(key) for key in self.waits_for])}")
        if self.workers:
            lines.append(f"  on {_listed(self.workers)}")
        by_reason: dict[str, list[str]] = {}
        for worker, reason in self.refusals.items():
            by_reason.setdefault(reason, []).append(worker)
        for reason, workers in list(by_reason.items())[:_SHOWN_COUNT]:
            lines.append(f"  not on {_listed(workers)}: {reason}")
        if len(by_reason) > _SHOWN_COUNT:
            lines.append(f"  ({len(by_reason) - _SHOWN_COUNT:,} more reasons)")
        return "\n".join(lines)


def explained_of(explanation: Explanation) -> Explained:
    """Return what an explanation of the scheduler says.

    Raises
    ------
    RemoteProtocolError
        It names workers without reasons, or reasons without workers.
    """
    considered, refusals = explanation.considered, explanation.refusals
    if len(considered) != len(refusals):
        what = f"{len(considered)} workers and {len(refusals)} refusals"
        raise RemoteProtocolError(reason=f"KeysExplained has {what} for {explanation.key!r}")
    return Explained(
        explanation.key,
        explanation.state,
        explanation.text,
        tuple(explanation.waits_for),
        tuple(explanation.workers),
        dict(zip(considered, refusals, strict=True)),
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_COUNT])
    more = len(names) - _SHOWN_COUNT
    return f"{shown} and {more:,} more" if more > 0 else shown
