"""Shrinking: from a history that breaks a rule to a shorter one that breaks the same rule.

Deeds are left out in ever smaller parts as long as the rule still breaks (Zeller and Hildebrandt,
"Simplifying and Isolating Failure-Inducing Input", 2002: *ddmin*, complements only); then what is
left is made simpler: submissions of fewer tasks, fewer hosts, fewer faults of the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from hocket.testing.deeds import Deed, Scatter, Submit
from hocket.testing.script import Script
from hocket.testing.simulation import Report, replay
from hocket.testing.swarm import Faults, Swarm

__all__ = ["EVENTS_MAX", "shrink"]

#: Shorter histories of so many events are tried, all in all.
EVENTS_MAX: Final = 200_000


def shrink(report: Report, *, events_max: int = EVENTS_MAX) -> Report:
    """Return the report of a short history that breaks the rule that this one breaks.

    Parameters
    ----------
    report
        Of a run with a finding.
    events_max
        Shorter histories of so many events are tried (a second or two for ten thousand).

    Returns
    -------
    Report
        Of the replay of its script; with the same report's script, if nothing shorter was found.
    """
    assert report.finding is not None
    return _Shrinking(report, events_max).go()


class _Shrinking:
    """The shortest history so far, and what may still be tried."""

    def __init__(self, report: Report, events_max: int) -> None:
        assert report.finding is not None
        self._rule = _without_names(report.finding.rule)
        self._best = report
        self._events_left = events_max

    def go(self) -> Report:
        script = self._best.script
        # What comes after the rule was broken is of no use.
        last_s = self._best.virtual_s
        deeds = tuple(deed for deed in script.deeds if deed.at_s <= last_s)
        self._try(replace(script, deeds=deeds))
        size = None
        while self._events_left > 0 and size != self._size():
            size = self._size()
            self._leave_out_deeds()
            self._simplify_deeds()
            self._simplify_swarm()
            self._stop_early()
        return self._best

    def _size(self) -> tuple[object, ...]:
        script = self._best.script
        return script.deeds, script.swarm, script.until_s

    def _try(self, script: Script) -> bool:
        """Replay a history; keep it if it breaks the rule as well."""
        if self._events_left <= 0:
            return False
        report = replay(script.seed, script.swarm, script.until_s, script.deeds)
        self._events_left -= report.steps_count
        if report.finding is None or _without_names(report.finding.rule) != self._rule:
            return False
        self._best = report
        return True

    def _leave_out_deeds(self) -> None:
        parts_count = 2
        while self._events_left > 0:
            deeds = self._best.script.deeds
            if not deeds:
                return
            size = -(-len(deeds) // parts_count)
            for start in range(0, len(deeds), size):
                rest = deeds[:start] + deeds[start + size :]
                if self._try(replace(self._best.script, deeds=rest)):
                    parts_count = max(2, parts_count - 1)
                    break
            else:
                if size == 1:
                    return
                parts_count = min(len(deeds), parts_count * 2)

    def _simplify_deeds(self) -> None:
        script = self._best.script
        tidy = _without_unknown_inputs(script.deeds)
        if tidy != script.deeds:
            self._try(replace(script, deeds=tidy))
        position = 0
        while self._events_left > 0 and position < len(self._best.script.deeds):
            deeds = self._best.script.deeds
            for simpler in deeds[position].smaller():
                changed = (*deeds[:position], simpler, *deeds[position + 1 :])
                if self._try(replace(self._best.script, deeds=changed)):
                    # (Once more, with what is left.)
                    break
            else:
                position += 1

    def _simplify_swarm(self) -> None:
        is_new = True
        while is_new and self._events_left > 0:
            script = self._best.script
            is_new = any(
                self._try(replace(script, swarm=swarm)) for swarm in _smaller(script.swarm)
            )

    def _stop_early(self) -> None:
        script = self._best.script
        last_s = max((deed.at_s for deed in script.deeds), default=0.0)
        for until_s in (last_s, (last_s + script.until_s) / 2):
            if until_s < script.until_s and self._try(replace(script, until_s=until_s)):
                return


def _without_names(rule: str) -> str:
    """Return a rule that holds for all hosts alike, whichever it was found broken at."""
    return re.sub(r"\b[wc]\d+\b", "someone", rule)


def _without_unknown_inputs(deeds: Sequence[Deed]) -> tuple[Deed, ...]:
    """Return the same deeds, with no task that names inputs which were left out."""
    known: set[str] = set()
    tidy: list[Deed] = []
    for deed in deeds:
        if isinstance(deed, Scatter):
            known.update(spec.key for spec in deed.data)
        if isinstance(deed, Submit):
            specs = []
            for spec in deed.tasks:
                known.add(spec.key)
                inputs = tuple(key for key in spec.inputs if key in known)
                specs.append(spec if inputs == spec.inputs else replace(spec, inputs=inputs))
            tidy.append(replace(deed, tasks=tuple(specs)))
        else:
            tidy.append(deed)
    return tuple(tidy)


def _smaller(swarm: Swarm) -> Iterator[Swarm]:
    """Yield swarms with fewer hosts, and with fewer faults."""
    names = swarm.faults.names()
    if names:
        yield replace(swarm, faults=Faults())
    if len(names) > 1:
        for name in names:
            yield replace(swarm, faults=replace(swarm.faults, **{name: False}))
    for count in _less(swarm.workers_count):
        yield replace(swarm, workers_count=count)
    for count in _less(swarm.clients_count):
        yield replace(swarm, clients_count=count)
    for count in _less(swarm.threads_max):
        yield replace(swarm, threads_max=count)


def _less(count: int) -> list[int]:
    """Return the least number, and the next smaller one."""
    return sorted({1, max(1, count - 1)} - {count})
