"""Cancelling: what a client can do about tasks whose results it does not want any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hocket.client.futures import Future
from hocket.client.gather import find_own_futures
from hocket.client.shell.session import ClientSession
from hocket.core.units import parse_seconds
from hocket.protocol.messages import CancelAnswered, CancelOutcome

__all__ = ["CancelReport", "Canceller"]

#: Keys that the text shows of each kind; the attributes have all.
_SHOWN_COUNT: Final = 10


@dataclass(frozen=True, slots=True)
class CancelReport:
    """What became of tasks that were cancelled, as `Client.cancel` returns it; by their keys.

    What ran only for them is named as well. The ``str`` of it is for people.

    Attributes
    ----------
    not_begun
        They will not be run.
    interrupted
        They were running, and were ended.
    ended
        They had ended by themselves, before or before they could be interrupted.
    running
        They go on, and keep their slots: they cannot be interrupted where they are, in code that is
        not Python's or in a call that waits. By key, the name of the worker. They are interrupted
        as soon as they come back from there.
    needed
        They go on for other clients, or for tasks that need them.
    unknown
        It was not said in time what became of them.
    """

    not_begun: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    running: Mapping[str, str] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        running = [f"{key!r} on {worker}" for key, worker in self.running.items()]
        kinds = (
            ("will not be run", _quoted(self.not_begun)),
            ("interrupted", _quoted(self.interrupted)),
            ("had ended by themselves", _quoted(self.ended)),
            ("run on, and cannot be interrupted where they are", running),
            ("run on, since others need them", _quoted(self.needed)),
            ("not known in time", _quoted(self.unknown)),
        )
        lines = [f"{what}: {_listed(names)}" for what, names in kinds if names]
        return "\n".join(lines) or "nothing was cancelled"


class Canceller:
    """What a client can do about tasks that it does not want any more; a part of `Client`."""

    _session: ClientSession

    def cancel(self, futures: Any, force: bool = False, timeout: float | str | None = None) -> Any:  # noqa: FBT001, FBT002 - the names are dask.distributed's
        """Do without results that are not there yet; their status becomes ``"cancelled"``.

        Unless others need them, tasks are not run if they have not begun, and are interrupted if
        they run, together with those that run for them alone. In a thread an exception is raised
        in the task's code, `BaseException` and no `Exception`; a coroutine is cancelled; a process
        is ended. Code that is not Python's, and calls that wait in the system (such as
        ``time.sleep``), cannot be interrupted in a thread: such a task keeps its slot until it
        comes back. A future that is merely dropped interrupts nothing.

        Without a timeout this happens at once; of an asynchronous client it may be awaited all the
        same.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`.
        force
            Whether the tasks are to end although other clients want them or other tasks need them;
            these have no results then, for the reason `TaskCancelled`.
        timeout
            Seconds (or a text such as ``"5 s"``) to wait until it is known what became of the
            tasks. That takes about a second where some cannot be interrupted.

        Returns
        -------
        CancelReport
            Which have not begun, which were interrupted, and which go on; None without a timeout.

        Raises
        ------
        OtherCluster
            A future is of another cluster.
        NoCapacity
            So much was cancelled that the report does not fit in one message.
        """
        by_session: dict[ClientSession, list[Future]] = {}
        for future in find_own_futures(self._session, futures):
            by_session.setdefault(future.session, []).append(future)
        if timeout is not None:
            timeout_s = parse_seconds(timeout, name="timeout", source="cancel()")
            return self._session.run(_cancel_and_wait(by_session, timeout_s, force=force))
        for session, found in by_session.items():
            session.cancel([future.record for future in found], interrupt=True, force=force)
        return self._session.nothing


async def _cancel_and_wait(
    by_session: Mapping[ClientSession, list[Future]], timeout_s: float, *, force: bool
) -> CancelReport:
    rows: dict[str, tuple[CancelOutcome | None, str]] = {}
    for session, futures in by_session.items():
        rows.update(dict.fromkeys([one.key for one in futures], (CancelOutcome.ENDED, "")))
        states = [future.record for future in futures]
        keys, answer = await session.cancel_and_ask(states, timeout_s, force=force)
        rows.update(_rows_of(keys, answer))
    return _report_of(rows)


def _rows_of(
    keys: Iterable[str], answer: CancelAnswered | None
) -> dict[str, tuple[CancelOutcome | None, str]]:
    if answer is None:
        return dict.fromkeys(keys, (None, ""))
    rows: dict[str, tuple[CancelOutcome | None, str]] = dict.fromkeys(
        keys, (CancelOutcome.NOT_BEGUN, "")
    )
    told = zip(answer.outcomes, answer.workers, strict=True)
    rows.update(zip(answer.keys, told, strict=True))
    return rows


def _report_of(rows: Mapping[str, tuple[CancelOutcome | None, str]]) -> CancelReport:
    def those(outcome: CancelOutcome | None) -> tuple[str, ...]:
        return tuple([key for key, row in rows.items() if row[0] is outcome])

    return CancelReport(
        those(CancelOutcome.NOT_BEGUN),
        those(CancelOutcome.INTERRUPTED),
        those(CancelOutcome.ENDED),
        {key: row[1] for key, row in rows.items() if row[0] is CancelOutcome.GOES_ON},
        those(CancelOutcome.NEEDED),
        those(None),
    )


def _quoted(keys: Iterable[str]) -> list[str]:
    return [repr(key) for key in keys]


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - _SHOWN_COUNT:,} more" if len(names) > _SHOWN_COUNT else ""
    return ", ".join(names[:_SHOWN_COUNT]) + more
