"""The client: the door to a cluster for its users."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import operator
import os
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Future as StandardFuture
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self

from hocket.client.calling import Caller
from hocket.client.cancelling import Canceller
from hocket.client.computing import Computer
from hocket.client.equipping import Equipper
from hocket.client.failures import Raised
from hocket.client.futures import Future
from hocket.client.gather import SKIPPED, fill, find_own_futures
from hocket.client.inspecting import Inspector
from hocket.client.moving import Mover
from hocket.client.onlooking import Onlooker
from hocket.client.options import check_key
from hocket.client.publishing import Publisher
from hocket.client.restarting import Restarter
from hocket.client.shell.blocking import deadline
from hocket.client.shell.cluster import find_cluster
from hocket.client.shell.collect import collect
from hocket.client.shell.open_sessions import note_session
from hocket.client.shell.scatter import scatter
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import apart, run_blocking, run_in_loop, waits
from hocket.client.showing import table_html
from hocket.client.streaming import Streamer
from hocket.client.submit import Submitter
from hocket.core.errors import PeerLost
from hocket.core.settings import Settings
from hocket.core.settings_file import load_settings
from hocket.transport.loop import shared_loop

__all__ = ["Client", "current_client"]

_TOKEN_NBYTES: Final = 5


class _Opening(NamedTuple):
    """How to connect a client; see there."""

    name: str | None
    secret: str | None
    settings: Settings
    timeout_s: float | None
    set_as_default: bool


class Client(
    Caller,
    Streamer,
    Canceller,
    Computer,
    Mover,
    Inspector,
    Equipper,
    Publisher,
    Restarter,
    Onlooker,
):
    """A connection to a cluster: submits work, and brings back results.

    A client may be used by many threads. It ends with `close`, or at the end of its ``with`` block,
    or with the interpreter.

    Parameters
    ----------
    address_or_cluster
        The scheduler's address (``tcp://host:port``), what ``hocket token`` printed, or an object
        that has ``address`` and ``secret``, as clusters do. Without it, and if the settings name no
        scheduler, a cluster is started on this host, and closed with the client.
    name
        How the scheduler calls this client.
    secret
        The cluster's secret, instead of the one in the settings.
    scheduler_file
        The file in which the scheduler has written how to reach it, instead of an address.
    settings
        Instead of those of the settings file and the environment.
    timeout_s
        Seconds to try to reach the scheduler, instead of ``client.connect_timeout_s``.
    set_as_default
        Whether dask computes with this client, as long as it is open and nothing else is said;
        dask's shuffles go by tasks then.
    asynchronous
        Whether what its methods wait for is to be awaited, on any asyncio loop, which is never
        blocked. Such a client connects when it is awaited, or at the beginning of ``async with``.

    Raises
    ------
    ConnectFailed
        Nobody answered at the address in time.
    HandshakeRefused
        The scheduler has another secret or version, or what answered is no scheduler.
    SettingsError
        The address is none, or no package is installed that makes local clusters.

    Examples
    --------
    >>> with Client("tcp://127.0.0.1:8786") as client:  # doctest: +SKIP
    ...     futures = client.map(str.upper, ["a", "b"])
    ...     client.gather(futures)
    ['A', 'B']

    >>> async with Client("tcp://127.0.0.1:8786", asynchronous=True) as client:  # doctest: +SKIP
    ...     futures = client.map(str.upper, ["a", "b"])
    ...     await client.gather(futures)
    ['A', 'B']
    """

    #: Whether it belongs to code inside tasks, and so is none that others come upon.
    _of_tasks: ClassVar[bool] = False

    def __init__(
        self,
        address_or_cluster: Any = None,
        *,
        name: str | None = None,
        secret: str | None = None,
        scheduler_file: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        timeout_s: float | None = None,
        set_as_default: bool = False,
        asynchronous: bool = False,
    ) -> None:
        if scheduler_file is not None:
            address_or_cluster = Path(scheduler_file)
        self.cluster: Any = address_or_cluster
        self._owned: Any = None
        #: Called with the client when it ends.
        self._end_default: Callable[[Client], None] = _do_nothing
        self._asynchronous = asynchronous
        self._is_connected = False
        opening = _Opening(
            name,
            secret,
            load_settings() if settings is None else settings,
            timeout_s,
            set_as_default,
        )
        #: How to connect, until it is begun.
        self._opening: _Opening | None = opening if asynchronous else None
        #: For those who await a client that is being connected already.
        self._connecting: StandardFuture[None] | None = None
        if not asynchronous:
            run_blocking(self._open(opening))

    async def _open(self, opening: _Opening) -> None:
        """Connect; what is left half done is undone."""
        settings = opening.settings
        found = await apart(find_cluster, self.cluster, opening.secret, settings)
        token = os.urandom(_TOKEN_NBYTES).hex()
        self._session = session = ClientSession(
            found.address,
            name=opening.name or f"client-{token}",
            secret=found.secret,
            settings=settings,
            token=token,
            loop=shared_loop(),
            of_tasks=self._of_tasks,
            asynchronous=self._asynchronous,
        )
        note_session(session)
        self._is_connected = True
        if found.owned is not None:
            self.cluster = self._owned = found.owned
        timeout_s = opening.timeout_s
        try:
            await session.open(
                settings.client.connect_timeout_s if timeout_s is None else timeout_s
            )
            if opening.set_as_default:
                self._make_default()
        except BaseException:
            await self._end()
            raise
        # On a loop nothing may block, and to put a value on a worker takes time.
        scatter_values = None if self._asynchronous else functools.partial(_scatter, session)
        self._submitter = Submitter(session, scatter_values)
        _clients[next(_client_numbers)] = self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("_session", "_submitter"):
                reason = "this client is not connected: write 'async with', or await it first"
                raise PeerLost(address="any scheduler", reason=reason)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # ------------------------------------------------------------------ life

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return self._session.address

    @property
    def cluster_id(self) -> str:
        """What the cluster alone is called, whatever its scheduler's addresses are."""
        return self._session.cluster.id

    @property
    def name(self) -> str:
        """How the scheduler calls this client."""
        return self._session.name

    @property
    def status(self) -> str:
        """``"connecting"``, ``"running"`` or ``"closed"``."""
        if not self._is_connected:
            return "connecting"
        return "closed" if self.closed else "running"

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has lost its scheduler."""
        return self._is_connected and self._session.machine.closed is not None

    @property
    def asynchronous(self) -> bool:
        """Whether what it waits for is to be awaited; dask asks."""
        return self._asynchronous

    @property
    def settings(self) -> Settings:
        """The settings that it works with."""
        return self._session.settings

    def blocking_twin(self) -> Client:
        """Return a new client of the same cluster that blocks where it waits."""
        session = self._session
        return Client(session.address, secret=session.secret, settings=session.settings)

    def close(self) -> Any:
        """Leave the cluster; what is pending is cancelled, and results are let go.

        A cluster that the client started is closed as well. May be called twice.
        """
        if self._asynchronous:
            return run_in_loop(self._end())
        run_blocking(self._end())
        return None

    def _make_default(self) -> None:
        # Imported here: not everybody has dask.
        from hocket.client.dask_adapter.default import end_default, make_default  # noqa: PLC0415

        make_default(self)
        self._end_default = end_default

    async def _end(self) -> None:
        self._opening = None
        if not self._is_connected:
            return
        self._end_default(self)
        await self._session.close()
        owned, self._owned = self._owned, None
        if owned is not None:
            await apart(owned.close)

    def __enter__(self) -> Self:
        if self._asynchronous:
            raise TypeError("an asynchronous client is used by 'async with', not by 'with'")
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        if not self._asynchronous:
            raise TypeError("'async with' is for clients made with asynchronous=True")
        await self
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._connect().__await__()

    async def _connect(self) -> Self:
        opening, self._opening = self._opening, None
        if opening is None:
            if self._connecting is not None:
                await asyncio.shield(asyncio.wrap_future(self._connecting))
            return self
        connecting: StandardFuture[None] = StandardFuture()
        self._connecting = connecting
        try:
            await run_in_loop(self._open(opening))
        except BaseException as error:
            connecting.set_exception(error)
            raise
        connecting.set_result(None)
        return self

    def __repr__(self) -> str:
        if not self._is_connected:
            return "<Client, not connected yet>"
        return f"<Client {self.name!r} of {self.address}, {self.status}>"

    def _repr_html_(self) -> str:
        if not self._is_connected:
            return table_html("Client", {"status": "not connected yet"})
        rows = {"name": self.name, "scheduler": self.address, "status": self.status}
        # (What would have to be asked for is left out: showing must neither wait nor fail.)
        link = getattr(self.cluster, "dashboard_link", "") if self.status == "running" else ""
        return table_html("Client", rows, link=str(link))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        # dask's configuration, of which it may be a part, is copied here and there.
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Client cannot be pickled; a task calls get_client()")

    # ------------------------------------------------------------------ results

    @waits
    async def gather(
        self,
        futures: Any,
        errors: Literal["raise", "skip"] = "raise",
        timeout: float | None = None,  # noqa: ASYNC109 - it may block as well
    ) -> Any:
        """Return the values of futures.

        Parameters
        ----------
        futures
            A future, or nested lists, tuples, sets and dicts of futures; what is no future comes
            back as it is.
        errors
            ``"raise"``: raise the first error; ``"skip"``: leave out what has no value.
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        Exception
            What a task raised, or why else there is no value; see `Future.result`.
        OtherCluster
            A future is of another cluster.
        TimeoutError
            They are not all there in time.
        """
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors is {errors!r}; it must be 'raise' or 'skip'")
        found = find_own_futures(self._session, futures, in_collections=False)
        values = await _collect(found, timeout, first_failure=errors == "raise")
        if errors == "raise":
            for value in values:
                if type(value) is Raised:
                    return value
            if (
                type(futures) is list
                and len(found) == len(futures)
                and all(map(operator.is_, found, futures))
            ):
                return values
        by_future = dict(zip(found, values, strict=True))

        def value_of(future: Future) -> Any:
            value = by_future[future]
            return SKIPPED if type(value) is Raised else value

        return fill(futures, value_of)

    def retry(self, futures: Any) -> Any:
        """Have tasks that failed run again, and those that they failed for.

        Their futures are pending from now on; futures that have not failed stay as they are.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`.

        Raises
        ------
        OtherCluster
            A future is of another cluster.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        by_session: dict[ClientSession, list[Future]] = {}
        for future in find_own_futures(self._session, futures):
            by_session.setdefault(future.session, []).append(future)
        for session, found in by_session.items():
            session.retry([future.record for future in found])
        return self._session.nothing

    def future(self, key: Any) -> Future:
        """Return a future of a key that is there already, say of another client.

        Raises
        ------
        PeerLost
            The client is closed, or its scheduler gone.
        """
        return Future(self._session.want(check_key(key)), self._session)


def _do_nothing(_client: Client) -> None:
    """Stands for what is only to be done by some clients."""


def _scatter(session: ClientSession, values: list[Any]) -> list[Future]:
    """Put values on workers, and return futures of them."""
    return [Future(state, session) for state in run_blocking(scatter(session, values))]


async def _collect(
    futures: list[Future], timeout_s: float | None, *, first_failure: bool
) -> list[Any]:
    """Return values, or `Raised` in their places; futures may be of several clients."""
    by_session: dict[ClientSession, list[int]] = {}
    for row, future in enumerate(futures):
        by_session.setdefault(future.session, []).append(row)
    left = deadline(timeout_s)
    values: list[Any] = [None] * len(futures)
    for session, rows in by_session.items():
        states = [futures[row].record for row in rows]
        collected = await collect(session, states, left(), first_failure=first_failure)
        if len(by_session) == 1:
            return collected
        for row, value in zip(rows, collected, strict=True):
            values[row] = value
    return values


#: By number, the last made having the highest; only those that somebody keeps.
_clients: Final[weakref.WeakValueDictionary[int, Client]] = weakref.WeakValueDictionary()
_client_numbers: Final = itertools.count()


def current_client() -> Client:
    """Return the client made last that is still open; inside a task, see `get_client`.

    Raises
    ------
    PeerLost
        There is none.
    """
    for _, client in sorted(_clients.items(), reverse=True):
        if not client.closed and not client._of_tasks:  # noqa: SLF001 - of this file
            return client
    raise PeerLost(address="any scheduler", reason="no client is open; make one with Client(...)")


def _close_all() -> None:
    for client in list(_clients.values()):
        # Nobody is there any more to be told.
        with contextlib.suppress(Exception):
            run_blocking(client._end())  # noqa: SLF001 - of this file


# Registered after the event loop's own, and so run before it.
atexit.register(_close_all)
