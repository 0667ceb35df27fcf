"""Where values lie: putting them on workers, copying and moving them, and emptying workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from hocket.client.failures import error_of_state
from hocket.client.futures import Future
from hocket.client.gather import find_own_futures
from hocket.client.options import worker_names
from hocket.client.shell.scatter import scatter
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import waits
from hocket.core.errors import RemoteProtocolError, SettingsError
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    KeysRebalanced,
    KeysReplicated,
    RebalanceKeys,
    ReplicateKeys,
    RetireWorkers,
    WorkersRetired,
)

__all__ = ["Mover", "Rebalanced"]


class Rebalanced(NamedTuple):
    """What `Client.rebalance` returns: how many values moved, and their size in bytes."""

    moved: int
    nbytes: int


class Mover:
    """What a client can do about the places of values; a part of `Client`."""

    _session: ClientSession

    @waits
    async def scatter(
        self,
        data: Any,
        workers: str | Iterable[str] | None = None,
        broadcast: bool = False,  # noqa: FBT001, FBT002 - the names are dask.distributed's
        hash: bool = True,  # noqa: A002, FBT001, FBT002
    ) -> Any:
        """Put data on workers.

        Parameters
        ----------
        data
            A value; or a list, tuple, set or dict, each element of which gets a future.
        workers
            Names or addresses of the only workers to take.
        broadcast
            Whether all of the workers get all data.
        hash
            Whether equal data gets one key, and is not sent again.

        Returns
        -------
        object
            A future, or the same kind of container with futures.

        Raises
        ------
        SerializationError
            Something cannot be pickled.
        NoCapacity
            There is no worker to take it.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        single = not isinstance(data, list | tuple | set | frozenset | dict)
        values = [data] if single else list(data.values() if isinstance(data, dict) else data)
        names = worker_names(workers)
        states = await scatter(
            self._session, values, workers=names, broadcast=broadcast, by_content=hash
        )
        futures = [Future(state, self._session) for state in states]
        if single:
            return futures[0]
        if isinstance(data, dict):
            return dict(zip(data, futures, strict=True))
        return futures if isinstance(data, list) else type(data)(futures)

    @waits
    async def replicate(
        self,
        futures: Any,
        n: int | None = None,
        workers: str | Iterable[str] | None = None,
    ) -> dict[str, int]:
        """Have values on several workers, and wait until they are there.

        Values that are not computed yet are waited for.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`.
        n
            On how many workers; None: on all of them.
        workers
            Names or addresses of the only workers to take; None: all.

        Returns
        -------
        dict
            By key, on how many of these workers the value is now: fewer than asked for where there
            are not as many, or where they have no room.

        Raises
        ------
        Exception
            Why one of the futures has no value; see `Future.result`.
        NoCapacity
            There is no such worker.
        SettingsError
            ``n`` is no number of workers.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
            raise SettingsError(
                name="n", value=n, allowed="a number of workers from 1", source="replicate()"
            )
        names = list(worker_names(workers))
        keys = await self._await_values(futures)
        if not keys:
            return {}
        count = n or len(names) or await self._count_workers()
        reply = await self._session.ask(
            KeysReplicated,
            lambda number: ReplicateKeys(number, keys, count, names),
            needs={"workers": ", ".join(names) or "any"},
        )
        if len(reply.counts) != len(keys):
            raise RemoteProtocolError(reason="KeysReplicated is not about the keys that were asked")
        return dict(zip(keys, reply.counts, strict=True))

    @waits
    async def rebalance(
        self, futures: Any = None, workers: str | Iterable[str] | None = None
    ) -> Rebalanced:
        """Move values from workers that hold much to those that hold little, and wait for it.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`, of the only values to move; those that are not computed
            yet are waited for. None: all values of the cluster.
        workers
            Names or addresses of the only workers to move among; None: all.

        Returns
        -------
        Rebalanced
            How many values moved, and their size.

        Raises
        ------
        Exception
            Why one of the futures has no value; see `Future.result`.
        NoCapacity
            There is no such worker.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        names = list(worker_names(workers))
        keys: list[str] = []
        if futures is not None:
            keys = await self._await_values(futures)
            if not keys:
                # To the scheduler, no keys would mean all.
                return Rebalanced(0, 0)
        reply = await self._session.ask(
            KeysRebalanced,
            lambda number: RebalanceKeys(number, keys, names),
            needs={"workers": ", ".join(names) or "any"},
        )
        return Rebalanced(reply.moved, reply.nbytes)

    @waits
    async def retire_workers(self, workers: str | Iterable[str]) -> list[str]:
        """Let workers end in good order, and wait until they are gone.

        They get no new tasks, end those that they run, and what only they hold moves to others.

        Parameters
        ----------
        workers
            Names or addresses.

        Returns
        -------
        list of str
            The names of those that are gone.

        Raises
        ------
        NoCapacity
            There is no such worker, or nobody could take what they hold.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        names = list(worker_names(workers))
        if not names:
            return []
        reply = await self._session.ask(
            WorkersRetired,
            lambda number: RetireWorkers(number, names),
            needs={"workers": ", ".join(names)},
        )
        return reply.workers

    async def _await_values(self, futures: Any) -> list[str]:
        """Wait until futures are done, and return their keys."""
        found = find_own_futures(self._session, futures)
        for session in {future.session for future in found}:
            await session.wait([future.record for future in found if future.session is session])
        for future in found:
            error = error_of_state(future.record, future.session.machine.closed)
            if error is not None:
                raise error
        return list(dict.fromkeys(future.key for future in found))

    async def _count_workers(self) -> int:
        return len((await self._session.ask(ClusterDescribed, DescribeCluster)).workers)
