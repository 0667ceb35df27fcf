"""The client of code that runs inside tasks: one for each process and cluster."""

from __future__ import annotations

import os
import threading
from typing import Any, ClassVar

from hocket.client.client import Client
from hocket.client.shell.open_sessions import session_of
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import DONE
from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import PeerLost
from hocket.core.task_context import TaskContext, current_task
from hocket.core.worker_view import WorkerView, current_worker

__all__ = ["get_client", "get_worker", "session_for"]


class _TaskClient(Client):
    """Shared by all tasks of a process that belong to one cluster: none of them can close it."""

    _of_tasks: ClassVar[bool] = True

    @property
    def session(self) -> ClientSession:
        """Its session."""
        return self._session

    def close(self) -> Any:
        """Do nothing: other tasks use it. It ends with the process, or with the scheduler."""
        return DONE if self.asynchronous else None


#: By the scheduler's address and the secret, and whether they are asynchronous.
_clients: dict[tuple[str, str, bool], _TaskClient] = {}
_lock = threading.Lock()


def get_client(*, asynchronous: bool = False) -> Client:
    """Return a client of the cluster that runs the present task; to be called inside tasks.

    All tasks of a worker's process share it. It is made on the first call, stays open until the
    process ends, and ``close`` does nothing to it. A task that waits with it gives up its slot
    meanwhile, so that what it waits for can run there; to get it back it may have to wait until
    another task ends. One that mostly waits calls `secede` first, and then needs none.

    Parameters
    ----------
    asynchronous
        For coroutines: whether what its methods wait for is to be awaited, and so is the client.

    Raises
    ------
    PeerLost
        No task runs in this thread, or the worker did not say where its scheduler is.
    ConnectFailed, HandshakeRefused
        As for `Client`.

    Examples
    --------
    >>> def total(n):
    ...     client = get_client()
    ...     return sum(client.gather(client.map(abs, range(n))))
    >>> async def total_in_a_coroutine(n):
    ...     async with get_client(asynchronous=True) as client:
    ...         return sum(await client.gather(client.map(abs, range(n))))
    """
    task = current_task()
    if task is None:
        reason = "no task runs in this thread; outside of tasks make a client with Client(address)"
        raise PeerLost(address="any scheduler", reason=reason)
    if not task.scheduler_address:
        reason = f"worker {task.worker!r} does not tell its tasks where the scheduler is"
        raise PeerLost(address="the scheduler", reason=reason)
    return _client_of(task, asynchronous=asynchronous)


def get_worker() -> WorkerView:
    """Return the worker that this code runs on: in a task, a plugin, or a function of `Client.run`.

    Raises
    ------
    PeerLost
        It runs on no worker.
    """
    worker = current_worker()
    if worker is None:
        raise PeerLost(address="any worker", reason="this code runs on none; submit it as a task")
    return worker


def _client_of(task: TaskContext, *, asynchronous: bool = False) -> _TaskClient:
    place = task.scheduler_address, task.secret, asynchronous
    client = _clients.get(place)
    if client is not None and not client.closed:
        return client
    with _lock:
        client = _clients.get(place)
        if client is None or client.closed:
            for other in [one for one, its in _clients.items() if its.closed]:
                del _clients[other]
            client = _TaskClient(
                task.scheduler_address,
                secret=task.secret,
                settings=task.settings,
                asynchronous=asynchronous,
            )
            _clients[place] = client
    return client


def session_for(cluster: ClusterIdentity, what: str) -> ClientSession:
    """Return the session that something of a cluster belongs to when it is unpickled here.

    Outside of tasks, that of the client made last of this cluster. Inside a task, that of the
    task's own client; a client that the task made itself is taken only for another cluster.

    Parameters
    ----------
    cluster
        As whoever pickled it calls it.
    what
        What is unpickled, for the error.

    Raises
    ------
    PeerLost
        No client is open.
    OtherCluster
        The clients that are open, and the task, are of other clusters.
    """
    task = current_task()
    if task is None or not task.scheduler_address:
        return session_of(cluster, what, None)
    here = ClusterIdentity(task.cluster_id, task.scheduler_address)
    return _client_of(task).session if here.is_of(cluster) else session_of(cluster, what, here)


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
