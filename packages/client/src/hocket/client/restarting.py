"""Starting anew: workers are ended and come back empty, or the whole cluster ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from hocket.client.options import worker_names
from hocket.client.shell.blocking import deadline
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import Signal, apart, run_blocking, run_in_loop, waits
from hocket.core.errors import PeerLost, SettingsError
from hocket.core.units import parse_seconds
from hocket.core.worker_view import WorkerView
from hocket.protocol.messages import (
    ClusterDescribed,
    ClusterEnds,
    DescribeCluster,
    EndCluster,
    EverywhereRan,
    FailureKind,
    RunEverywhere,
    WorkerDescription,
)
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_value

if TYPE_CHECKING:
    from hocket.client.client import Client

__all__ = ["Restarter"]

#: How often it is looked whether workers have come back.
_LOOK_S: Final = 0.05
_THREAD: Final = "not restarted: it runs inside of a process that does other things as well"
_AWAITED: Final = "ended, and nobody has started another in its place in time"


class Restarter:
    """How a client makes its cluster start anew; a part of `Client`."""

    _session: ClientSession

    @waits
    async def restart(
        self,
        timeout: float | None = 120.0,  # noqa: ASYNC109 - it may block as well
        *,
        wait_for_workers: bool = True,
    ) -> dict[str, str]:
        """Cancel all futures of this client, and have all workers end and come back empty.

        A worker is ended whatever it does. What starts another in its place is its cluster, or
        whatever else watches over it; nobody does if it was started by hand. What workers held for
        other clients is computed again. Plugins and uploaded files are set up anew.

        Parameters
        ----------
        timeout
            Seconds to wait until as many workers are there as before; None waits for ever.
        wait_for_workers
            Whether to wait for that.

        Returns
        -------
        dict
            By the name of each worker that there was, what became of it: ``"restarted"``, or why
            not.

        Raises
        ------
        TimeoutError
            Some did not come back in time; the error names them.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        self._session.cancel_all()
        outcomes = await self._restart((), timeout if wait_for_workers else 0.0)
        if wait_for_workers:
            _raise_if_missing(outcomes, timeout)
        return outcomes

    @waits
    async def restart_workers(
        self,
        workers: str | Iterable[str],
        timeout: float | None = None,  # noqa: ASYNC109 - it may block as well
        *,
        raise_for_error: bool = True,
    ) -> dict[str, str]:
        """Have some workers end and come back empty; what they held is computed again.

        Parameters
        ----------
        workers
            Names or addresses.
        timeout
            Seconds to wait until they have come back; None waits for ever.
        raise_for_error
            Whether it is an error if some do not come back.

        Returns
        -------
        dict
            As for `restart`.

        Raises
        ------
        NoCapacity
            There is no such worker.
        TimeoutError, PeerLost
            As for `restart`.
        """
        names = worker_names(workers)
        if not names:
            return {}
        outcomes = await self._restart(names, timeout)
        if raise_for_error:
            _raise_if_missing(outcomes, timeout)
        return outcomes

    def shutdown(self, *, drain: bool = False, timeout: float | None = None) -> Any:
        """End the cluster, its workers and its scheduler, and close this client.

        Whoever has started them is told that they ended, and a cluster that the client was handed
        as an object is closed. All other clients of the cluster lose it, and are told who ended it.

        Parameters
        ----------
        drain
            Whether tasks that run come to their end first; nothing new begins. It may take for
            ever where one waits for others.
        timeout
            Seconds to wait for that, after which it ends all the same; None waits for ever.

        Raises
        ------
        SettingsError
            The client knows no more than the address, and the scheduler's settings do not let
            clients end the cluster; or the timeout is none.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        asynchronous = self._session.asynchronous
        if timeout is not None:
            # Looked at before anything ends.
            timeout = parse_seconds(timeout, name="timeout", source="shutdown()")
        ending = self._shut_down(timeout, drains=drain)
        return run_in_loop(ending) if asynchronous else run_blocking(ending)

    async def _shut_down(self, timeout_s: float | None, *, drains: bool) -> None:
        client = cast("Client", self)
        close = getattr(client.cluster, "close", None)
        if close is None or drains:
            await self._end_cluster(timeout_s, drains=drains)
        await client._end()  # noqa: SLF001 - it is a part of that
        if close is not None:
            await apart(close)

    async def _end_cluster(self, timeout_s: float | None, *, drains: bool) -> None:
        """Ask the scheduler to end, and wait until it has."""
        session, left = self._session, deadline(timeout_s)
        reply = await session.ask(ClusterEnds, lambda number: EndCluster(number, drains))
        if not reply.accepted:
            raise SettingsError(
                name="scheduler.clients_may_end",
                value=False,
                allowed="True where clients may end the cluster; end it where it was started",
                source=f"the scheduler at {session.address}",
            )
        while session.machine.closed is None:
            seconds = left()
            if drains and seconds is not None and seconds <= 0:
                drains = False
                with suppress(PeerLost):  # It has ended by itself in this moment.
                    await session.ask(ClusterEnds, EndCluster)
            await Signal().wait(_LOOK_S)

    async def _restart(self, names: Sequence[str], timeout_s: float | None) -> dict[str, str]:
        session, left = self._session, deadline(timeout_s)
        before = await self._look_at_workers()
        ended = await self._end_workers(names)
        outcomes = {one.name: ended[one.address] for one in before if one.address in ended}
        awaited = [one for one in before if ended.get(one.address) == _AWAITED]
        identities = {(one.address, one.pid) for one in before}
        while awaited:
            seconds = left()
            if seconds is not None and seconds <= 0:
                break
            await Signal().wait(_LOOK_S if seconds is None else min(_LOOK_S, seconds))
            if session.machine.closed is not None:
                raise session.machine.closed
            fresh = [
                one
                for one in await self._look_at_workers()
                if (one.address, one.pid) not in identities
            ]
            identities.update((one.address, one.pid) for one in fresh)
            for _ in fresh[: len(awaited)]:
                outcomes[awaited.pop(0).name] = "restarted"
        return outcomes

    async def _look_at_workers(self) -> list[WorkerDescription]:
        return (await self._session.ask(ClusterDescribed, DescribeCluster)).workers

    async def _end_workers(self, names: Sequence[str]) -> dict[str, str]:
        """Have workers end; return what became of each, by address."""
        function = dump_function(_end_worker)
        payload = ArgumentPickler().dumps((self._session.name,), {})
        reply = await self._session.ask(
            EverywhereRan,
            lambda number: RunEverywhere(number, function.blob, payload, list(names)),
            needs={"workers": ", ".join(names) or "any"},
        )
        outcomes: dict[str, str] = {}
        for address, data, failure in zip(reply.workers, reply.values, reply.failures, strict=True):
            if failure is not None:
                # One that ended before it could answer has ended.
                gone = failure.kind is FailureKind.WORKER_DIED
                outcomes[address] = _AWAITED if gone else f"not restarted: {failure.text}"
            else:
                ends = data is not None and load_value(data)
                outcomes[address] = _AWAITED if ends else _THREAD
        return outcomes


def _end_worker(client: str, hocket_worker: WorkerView) -> bool:
    return hocket_worker.end(f"the client {client!r} has it restarted")


def _raise_if_missing(outcomes: dict[str, str], timeout_s: float | None) -> None:
    missing = [name for name, outcome in outcomes.items() if outcome != "restarted"]
    if missing:
        reasons = "; ".join(f"{name}: {outcomes[name]}" for name in missing[:10])
        raise TimeoutError(
            f"{len(missing)} of {len(outcomes)} workers were not restarted within {timeout_s} s"
            f" ({reasons})"
        )
