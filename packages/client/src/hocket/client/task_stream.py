"""The task stream: which task ran where and when, gathered while a block of code runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hocket.client.followed_block import FollowedBlock
from hocket.protocol.messages.feed import TaskEnded

if TYPE_CHECKING:
    from hocket.client.following import Following

__all__ = ["TaskStream", "row_of"]


class TaskStream(FollowedBlock):
    """Executions of tasks; made by `Client.get_task_stream`.

    As a context manager it gathers those that end while its block runs. Read `data` then.

    Attributes
    ----------
    events
        As they came, `hocket.protocol.messages.feed.TaskEnded`.
    dropped
        How many could not be gathered, since they came too fast.

    Examples
    --------
    >>> with client.get_task_stream() as stream:  # doctest: +SKIP
    ...     client.gather(client.map(abs, range(3)))
    >>> [row["name"] for row in stream.data]  # doctest: +SKIP
    ['abs', 'abs', 'abs']
    """

    def __init__(self, following: Following, filename: str | Path | None = None) -> None:
        super().__init__(following)
        self._filename = filename
        self.events: list[TaskEnded] = []
        self.dropped = 0

    @property
    def data(self) -> list[dict[str, Any]]:
        """The executions as plain data, in the order in which they ended."""
        return [row_of(event) for event in self.events]

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.data)

    def _keep(self) -> None:
        self.events = [one for one in self._following.events if type(one) is TaskEnded]
        self.dropped = self._following.dropped
        if self._filename is not None:
            self.save(self._filename)

    def save(self, path: str | Path) -> None:
        """Write the stream as a trace that Perfetto (ui.perfetto.dev) and Chrome can show.

        Raises
        ------
        OSError
            It cannot be written there.
        """
        # Imported here: few need it.
        from hocket.protocol.feed.chrome_trace import trace_bytes  # noqa: PLC0415

        Path(path).write_bytes(trace_bytes(self.events))


def row_of(event: TaskEnded) -> dict[str, Any]:
    """Return an execution as plain data, with the words that users of dask know."""
    begin_s = event.start_s
    compute_s = begin_s + event.deserialising_s
    end_s = compute_s + event.running_s
    steps: Sequence[tuple[str, float, float]] = (
        ("transfer", begin_s - event.ready_s - event.fetching_s, begin_s - event.ready_s),
        ("deserialize", begin_s, compute_s),
        ("compute", compute_s, end_s),
        ("store", end_s, end_s + event.storing_s),
    )
    return {
        "key": event.key,
        "name": event.group,
        "worker": event.worker,
        "thread": event.lane,
        "executor": event.executor,
        "attempt": event.attempt,
        "status": "OK" if not event.error else "error",
        "outcome": event.outcome.name.lower(),
        "error": event.error,
        "nbytes": event.nbytes,
        "waiting_s": event.waiting_s,
        "ready_s": event.ready_s,
        "startstops": [
            {"action": action, "start": start_s, "stop": stop_s}
            for action, start_s, stop_s in steps
            if stop_s > start_s or action == "compute"
        ],
    }
