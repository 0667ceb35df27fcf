"""Tasks that submit tasks of their own, and wait for them: each by a client inside of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hocket.client.batches import TaskOptions
from hocket.protocol.messages import Failure
from hocket.testing.client_host import ClientHost, Judge
from hocket.testing.executor import Execution
from hocket.testing.host import SchedulerHost
from hocket.testing.worker_host import WorkerHost

__all__ = ["Nested"]


class _TaskClient(ClientHost):
    """A client inside of a task."""

    is_nested = True


class Nested:
    """One run of a task that submits others, from its first submission to its end.

    While it waits it has no slot, or a cluster full of such tasks would stand still.

    Parameters
    ----------
    name
        What its client is called.
    worker, execution
        Where it runs.
    scheduler
        Where its client connects to.
    results
        Looks at what its client is told.
    """

    def __init__(
        self,
        name: str,
        worker: WorkerHost,
        execution: Execution,
        scheduler: SchedulerHost,
        results: Judge,
    ) -> None:
        self._worker = worker
        self._execution = execution
        self._results = results
        self.unclaimed = results.unclaimed
        self._values: dict[str, int] = {}
        self._trouble = ""
        self._is_over = False
        self._on_death: Callable[[ClientHost], None] | None = None
        self.client = _TaskClient(
            name, execution.run, worker.network, scheduler, self, self._client_died
        )

    def begin(self, on_death: Callable[[ClientHost], None]) -> None:
        """Submit, and give up the slot."""
        self._on_death = on_death
        self._worker.nested[self.client] = None
        children = self._execution.call.children
        self.client.submit(children, None, TaskOptions())
        self._execution.secede()

    # What the client is told.

    def saw_value(self, client: str, key: str, value: object) -> None:
        """Keep a value, and go on if it was the last."""
        self._results.saw_value(client, key, value)
        assert isinstance(value, int)
        self._values[key] = value
        self._look()

    def saw_failure(self, client: str, key: str, failure: Failure) -> None:
        """Give up, for a reason."""
        self._results.saw_failure(client, key, failure)
        self._trouble = f"{key} failed"
        self._look()

    def could_not_fetch(self, client: str, key: str) -> None:
        """Give up, for a reason."""
        self._results.could_not_fetch(client, key)
        self._trouble = f"{key} cannot be sent"
        self._look()

    def cancelled(self, keys: Sequence[str]) -> None:
        """Count it."""
        self._results.cancelled(keys)

    def gave_up(self, client: str, key: str, address: str) -> None:
        """Give up, for a reason."""
        self._results.gave_up(client, key, address)
        self._trouble = f"{key} cannot be had"
        self._look()

    def _look(self) -> None:
        if self._trouble or len(self._values) == len(self._execution.call.children):
            # Not in the middle of what the client does.
            self.client.after(0.0, self._stop_waiting)

    def _stop_waiting(self) -> None:
        if not self._is_over:
            self.client.release(list(self.client.futures))
            self.client.leave()

    def _client_died(self, client: ClientHost) -> None:
        """Go on: the client has left, or it was lost."""
        if self._on_death is not None:
            self._on_death(client)
        self._worker.nested.pop(client, None)
        self._is_over = True
        children = self._execution.call.children
        if not self._trouble and len(self._values) < len(children):
            self._trouble = "the scheduler was lost"
        self._worker.after(0.0, lambda: self._execution.rejoin(self._end))

    def _end(self) -> None:
        execution = self._execution
        if self._trouble:
            execution.fail(self._trouble)
        else:
            values = self._values
            execution.succeed([values[child.key] for child in execution.call.children])
