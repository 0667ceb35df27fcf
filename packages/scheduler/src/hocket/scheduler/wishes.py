"""What clients say of their keys: here they are, we want them, we want them no more, try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hocket.protocol.messages import (
    Failure,
    FailureKind,
    ForgetFunctions,
    KeysScattered,
    ReleaseKeys,
    ReportMissing,
    RetryTasks,
    ScatterAccepted,
    SubmitTasks,
    WantKeys,
)
from hocket.scheduler.intake import accept_scattered, accept_tasks
from hocket.scheduler.losses import copy_missing
from hocket.scheduler.state import FAILED, STORED, Client
from hocket.scheduler.transitions import retry, unwant, want

if TYPE_CHECKING:
    from hocket.scheduler.tables import Tables

__all__ = ["Wishes"]


class Wishes:
    """Takes what clients say of their keys.

    Parameters
    ----------
    tables
        Of the scheduler.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.handlers: dict[type[Any], Callable[[Client, Any], None]] = {
            SubmitTasks: self._submit,
            KeysScattered: self._scattered,
            ReleaseKeys: self._release,
            WantKeys: self._want,
            RetryTasks: self._retry,
            ForgetFunctions: self._forget_functions,
            ReportMissing: self._report_missing,
        }

    def _submit(self, client: Client, message: SubmitTasks) -> None:
        accept_tasks(self._tables, client, message)

    def _scattered(self, client: Client, message: KeysScattered) -> None:
        accept_scattered(self._tables, client, message)
        client.outbox.add(ScatterAccepted(message.request))

    def _release(self, client: Client, message: ReleaseKeys) -> None:
        tasks = self._tables.tasks
        for key in message.keys:
            task = tasks.get(key)
            if task is not None:
                unwant(self._tables, task, client)

    def _want(self, client: Client, message: WantKeys) -> None:
        for key in message.keys:
            task = self._tables.tasks.get(key)
            if task is None:
                text = f"nothing is known of the key {key!r}; it may have been released"
                client.outbox.erred(key, Failure(FailureKind.UNKNOWN_KEY, key, text))
            else:
                want(self._tables, task, client)

    def _retry(self, client: Client, message: RetryTasks) -> None:
        for key in message.keys:
            task = self._tables.tasks.get(key)
            if task is None or client not in task.clients():
                text = f"the key {key!r} is not known here any more; submit the task again"
                client.outbox.erred(key, Failure(FailureKind.UNKNOWN_KEY, key, text))
            elif task.state is FAILED:
                retry(self._tables, task)
            elif task.state is STORED:
                client.outbox.stored(key, task.nbytes, None)

    def _forget_functions(self, client: Client, message: ForgetFunctions) -> None:
        for digest in message.digests:
            kind = client.functions.pop(digest, None)
            if kind is not None:
                kind.pinned_by.discard(client.id)
                self._tables.forget_kind(kind)

    def _report_missing(self, client: Client, message: ReportMissing) -> None:
        worker = self._tables.workers_by_address.get(message.address)
        if worker is None:
            return
        for key in message.keys:
            task = self._tables.tasks.get(key)
            if task is not None and client in task.clients():
                copy_missing(self._tables, task, worker, gone=message.gone, keep_last=True)
