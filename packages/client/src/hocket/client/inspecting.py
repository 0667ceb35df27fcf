"""Asking about a cluster: who is there, who holds what; and running functions beside the tasks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal

from hocket.client.calling import check_callable
from hocket.client.explaining import Explained, explained_of
from hocket.client.failures import error_of_failure
from hocket.client.futures import Future
from hocket.client.gather import find_own_futures
from hocket.client.options import check_key, worker_names
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import apart, waits
from hocket.core.errors import NoCapacity, RemoteProtocolError, SettingsError, TaskFailed
from hocket.protocol.feed import decode_plain, encode_plain
from hocket.protocol.login import LOGIN_LIFE_S, open_link
from hocket.protocol.messages import (
    CallScheduler,
    ClusterDescribed,
    DescribeCluster,
    EverywhereRan,
    ExplainKeys,
    KeysExplained,
    KeysLocated,
    ListTasks,
    LocateKeys,
    RunEverywhere,
    SchedulerCalled,
    TaskPlace,
    TasksListed,
    WaitForWorkers,
    WorkersReady,
)
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_value
from hocket.transport.clock import now
from hocket.transport.keyring import current_secret

__all__ = ["Inspector", "facts_of"]

#: The more keys a question has, the fewer workers the scheduler names for each, and the longer it
#: is kept from its work.
_EXPLAINED_AT_ONCE: Final = 100


class Inspector:
    """What a client can ask its cluster; a part of `Client`."""

    _session: ClientSession

    @property
    def dashboard_link(self) -> Any:
        """A link to the scheduler's pages; empty if it has none.

        Where other hosts can connect, it logs in whoever has it: once, within ten minutes. (An
        asynchronous client's is to be awaited.)
        """
        return self._session.run(self._find_dashboard())

    async def _find_dashboard(self) -> str:
        described = await self._list_workers()
        expires_s = now() + LOGIN_LIFE_S
        nonce = secrets.token_urlsafe(12)
        return open_link(
            described.dashboard, current_secret(self._session.secret), nonce, expires_s
        )

    @waits
    async def run(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        workers: str | Iterable[str] | None = None,
        on_error: Literal["raise", "return", "ignore"] = "raise",
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Call a function once on each worker, beside the tasks, and wait.

        Parameters
        ----------
        fn
            What to call; a coroutine function is run to its end. If it has a parameter
            ``hocket_worker``, it gets the worker, a `hocket.core.worker_view.WorkerView`.
        *args, **kwargs
            Its arguments.
        workers
            Names, addresses or hosts of the only workers to take; None: all.
        on_error
            What becomes of an error of one worker: it is raised, or stands in the place of the
            value, or the worker is left out.

        Returns
        -------
        dict
            By the worker's address, what the function returned.

        Raises
        ------
        Exception
            What it raised on the first worker where it did.
        NoCapacity
            There is no such worker.
        """
        check_callable(fn)
        if on_error not in ("raise", "return", "ignore"):
            raise ValueError(f"on_error is {on_error!r}; it must be 'raise', 'return' or 'ignore'")
        names = list(worker_names(workers))
        function = dump_function(fn)
        payload = ArgumentPickler().dumps(args, kwargs)
        reply = await self._session.ask(
            EverywhereRan,
            lambda number: RunEverywhere(number, function.blob, payload, names),
            needs={"workers": ", ".join(names) or "any"},
        )
        results: dict[str, Any] = {}
        for address, data, failure in zip(reply.workers, reply.values, reply.failures, strict=True):
            if failure is None:
                results[address] = None if data is None else load_value(data)
                continue
            error = error_of_failure(failure, function.label)
            if on_error == "raise":
                raise error
            if on_error == "return":
                results[address] = error
        return results

    @waits
    async def run_on_scheduler(
        self, fn: Callable[..., Any] | str, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call a function in the scheduler's process, if its settings permit that function.

        The scheduler runs none of its clients' code: only the function's name travels, and it is
        called if the setting ``scheduler.permitted_functions`` names it, in a thread beside the
        scheduler's loop. `run` calls any function on the workers.

        Parameters
        ----------
        fn
            A function that can be imported there, or its name: ``"package.module:name"``.
        *args, **kwargs
            Its arguments: plain data (numbers, texts, bytes, times, and lists and dicts of these).

        Returns
        -------
        Any
            What it returned: plain data, with lists in the place of tuples.

        Raises
        ------
        TypeError
            ``fn`` is a function without a name to import it by.
        SettingsError
            The scheduler's settings do not permit it.
        SerializationError
            An argument is no plain data.
        TaskFailed
            The function raised, or returned something that is no plain data.
        """
        name = _importable_name(fn)
        arguments = encode_plain([list(args), kwargs], f"the arguments of {name!r}")
        try:
            reply = await self._session.ask(
                SchedulerCalled, lambda number: CallScheduler(number, name, arguments)
            )
        except NoCapacity as error:
            raise SettingsError(
                name="scheduler.permitted_functions",
                value=name,
                allowed=error.best_offer,
                source=f"the scheduler at {self._session.address}",
            ) from None
        if reply.value is None:
            raise TaskFailed(key=name, cause=f"on the scheduler, {reply.error}")
        return decode_plain(reply.value)

    @waits
    async def scheduler_info(self) -> dict[str, Any]:
        """Return facts about the cluster: ``"address"``, and under ``"workers"``, by address."""
        return await self._describe()

    async def _describe(self) -> dict[str, Any]:
        return facts_of(await self._list_workers())

    @waits
    async def nthreads(self) -> dict[str, int]:
        """Return the number of threads of each worker, by address."""
        return {worker.address: worker.threads for worker in (await self._list_workers()).workers}

    @waits
    async def who_has(self, futures: Any = None) -> dict[str, list[str]]:
        """Return for each key the addresses of the workers that hold its value.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`; None: all of this client.
        """
        session = self._session
        if futures is None:
            with session.lock:
                keys = list(session.begin().states)
        else:
            keys = [future.key for future in find_own_futures(self._session, futures)]
        reply = await session.ask(KeysLocated, lambda number: LocateKeys(number, keys))
        return dict(zip(keys, reply.addresses, strict=True))

    @waits
    async def has_what(self, workers: str | Iterable[str] | None = None) -> dict[str, list[str]]:
        """Return the keys of the values that each worker holds, by the worker's address.

        Parameters
        ----------
        workers
            Names or addresses of the only workers to ask about; None: all.
        """
        return await self._list_tasks(TaskPlace.HELD, workers)

    @waits
    async def processing(self, workers: str | Iterable[str] | None = None) -> dict[str, list[str]]:
        """Return the keys of the tasks that each worker has and has not ended, by its address.

        Parameters
        ----------
        workers
            As for `has_what`.
        """
        return await self._list_tasks(TaskPlace.ASSIGNED, workers)

    @waits
    async def why(self, key_or_future: Any) -> Any:
        """Explain where a task is: what it waits for, and why which worker does not get it.

        Parameters
        ----------
        key_or_future
            A future, or a key, of whatever client; or a list of these.

        Returns
        -------
        Explained
            To be printed, or looked into; or a list of these.

        Examples
        --------
        >>> print(client.why(future))  # doctest: +SKIP
        'train-1f2e3d-0' is queued: no worker that is here can run it: it needs 1 of GPU, and none
        has that
          not on worker-0, worker-1: it has 0 of GPU, and the task needs 1
        """
        single = not isinstance(key_or_future, list)
        asked = [key_or_future] if single else key_or_future
        keys = [one.key if isinstance(one, Future) else check_key(one) for one in asked]
        explained = await self._explain(keys)
        return explained[0] if single else explained

    async def _explain(self, keys: list[str]) -> list[Explained]:
        explained: list[Explained] = []
        for first in range(0, len(keys), _EXPLAINED_AT_ONCE):
            explained += await self._explain_some(keys[first : first + _EXPLAINED_AT_ONCE])
        return explained

    async def _explain_some(self, keys: list[str]) -> list[Explained]:
        reply = await self._session.ask(KeysExplained, lambda number: ExplainKeys(number, keys))
        if [one.key for one in reply.explanations] != keys:
            raise RemoteProtocolError(reason="KeysExplained is not about the keys that were asked")
        return [explained_of(one) for one in reply.explanations]

    @waits
    async def dump(self, path: str | Path | None = None) -> dict[str, Any]:
        """Return all that can be known of the cluster and of this client now, as plain data.

        That is: workers, what each runs and holds, why pending tasks of this client (the first
        1,000) are where they are, settings but for secrets, versions. No values, no arguments.

        Parameters
        ----------
        path
            Where to write it, too, as JSON; None: nowhere.

        Raises
        ------
        OSError
            It cannot be written there.
        """
        # Imported here: few need it.
        from hocket.client.dumping import ClusterFacts, client_facts, dump  # noqa: PLC0415

        client = client_facts(self._session)
        cluster = ClusterFacts(
            await self._describe(),
            await self._list_tasks(TaskPlace.ASSIGNED, None),
            await self._list_tasks(TaskPlace.HELD, None),
            await self._explain(client.unexplained),
        )
        return await apart(dump, self._session, client, cluster, path)

    @waits
    async def wait_for_workers(
        self,
        n_workers: int,
        timeout: float | None = None,  # noqa: ASYNC109 - it may block as well
    ) -> None:
        """Wait until the cluster has at least this many workers.

        Raises
        ------
        TimeoutError
            It has not in time.
        """
        if n_workers < 0:
            raise ValueError(f"n_workers is {n_workers}; it must not be negative")
        await self._session.ask(
            WorkersReady, lambda number: WaitForWorkers(number, n_workers), timeout
        )

    async def _list_tasks(
        self, place: TaskPlace, workers: str | Iterable[str] | None
    ) -> dict[str, list[str]]:
        names = list(worker_names(workers))
        reply = await self._session.ask(
            TasksListed,
            lambda number: ListTasks(number, place, names),
            needs={"workers": ", ".join(names) or "any"},
        )
        return dict(zip(reply.addresses, reply.keys, strict=True))

    async def _list_workers(self) -> ClusterDescribed:
        return await self._session.ask(ClusterDescribed, DescribeCluster)


def _importable_name(function: Callable[..., Any] | str) -> str:
    """Return a function's name as ``package.module:name``."""
    if isinstance(function, str):
        module, _, path = function.partition(":")
    else:
        check_callable(function)
        module = getattr(function, "__module__", None) or ""
        path = getattr(function, "__qualname__", "")
    words = [*module.split("."), *path.split(".")]
    if module == "__main__" or not all(word.isidentifier() for word in words):
        raise TypeError(
            f"{function!r:.100} cannot be imported by a scheduler: give a function of an installed"
            " module, or its name as 'package.module:name'; client.run calls any function on the"
            " workers"
        )
    return f"{module}:{path}"


def facts_of(described: ClusterDescribed) -> dict[str, Any]:
    """Return facts about a cluster: ``"address"``, and under ``"workers"``, by address."""
    workers = {
        worker.address: {
            "type": "Worker",
            "name": worker.name,
            "id": worker.name,
            "host": worker.host,
            "pid": worker.pid,
            "nthreads": worker.threads,
            "memory_limit": worker.memory_limit,
            "resources": worker.resources,
            "assigned": worker.assigned,
            "held": worker.held,
            "held_nbytes": worker.held_nbytes,
            "leaves_in_s": worker.leaves_in_s,
        }
        for worker in described.workers
    }
    return {"type": "Scheduler", "address": described.scheduler, "workers": workers}
