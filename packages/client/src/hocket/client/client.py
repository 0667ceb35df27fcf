"""The client: the door to a cluster for its users."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import operator
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Self

from hocket.client.batches import check_key, make_options, worker_names
from hocket.client.failures import Raised
from hocket.client.futures import Future
from hocket.client.gather import SKIPPED, fill, find_futures
from hocket.client.inspecting import Inspector, check_callable
from hocket.client.shell.cluster import find_cluster
from hocket.client.shell.collect import collect
from hocket.client.shell.scatter import scatter
from hocket.client.shell.session import ClientSession, deadline
from hocket.client.submit import Submitter
from hocket.core.errors import PeerLost
from hocket.core.settings import Settings
from hocket.core.settings_file import load_settings
from hocket.transport.loop import shared_loop

__all__ = ["Client", "current_client"]

_TOKEN_NBYTES: Final = 5


class Client(Inspector):
    """A connection to a cluster: submits work, and brings back results.

    A client may be used by many threads. It ends with `close`, or at the end of its ``with`` block,
    or with the interpreter.

    Parameters
    ----------
    address_or_cluster
        The scheduler's address (``tcp://host:port``), or an object that has ``address`` and
        ``secret``, as clusters do. Without it a cluster is started on this host, and closed with
        the client.
    name
        How the scheduler calls this client.
    secret
        The cluster's secret, instead of the one in the settings.
    settings
        Instead of those of the settings file and the environment.
    timeout_s
        Seconds to try to reach the scheduler, instead of ``client.connect_timeout_s``.

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
    """

    def __init__(
        self,
        address_or_cluster: Any = None,
        *,
        name: str | None = None,
        secret: str | None = None,
        settings: Settings | None = None,
        timeout_s: float | None = None,
    ) -> None:
        settings = load_settings() if settings is None else settings
        found = find_cluster(address_or_cluster, secret, settings)
        token = os.urandom(_TOKEN_NBYTES).hex()
        session = ClientSession(
            found.address,
            name=name or f"client-{token}",
            secret=found.secret,
            settings=settings,
            token=token,
            loop=shared_loop(),
        )
        super().__init__(session)
        self.cluster: Any = address_or_cluster if found.owned is None else found.owned
        self._owned = found.owned
        try:
            session.open(settings.client.connect_timeout_s if timeout_s is None else timeout_s)
        except BaseException:
            self.close()
            raise

        def scatter_arguments(values: list[Any]) -> list[Future]:
            return [Future(state, session) for state in scatter(session, values)]

        self._submitter = Submitter(session, scatter_arguments)
        _clients[next(_client_numbers)] = self

    # ------------------------------------------------------------------ life

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return self._session.address

    @property
    def name(self) -> str:
        """How the scheduler calls this client."""
        return self._session.name

    @property
    def status(self) -> str:
        """``"running"`` or ``"closed"``."""
        return "closed" if self.closed else "running"

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has lost its scheduler."""
        return self._session.machine.closed is not None

    @property
    def settings(self) -> Settings:
        """The settings that it works with."""
        return self._session.settings

    def close(self) -> None:
        """Leave the cluster; what is pending is cancelled, and results are let go.

        A cluster that the client started is closed as well. May be called twice.
        """
        self._session.close()
        owned, self._owned = self._owned, None
        if owned is not None:
            owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self.name!r} of {self.address}, {self.status}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Client cannot be pickled; a task can make one, or be given futures")

    # ------------------------------------------------------------------ work

    def submit(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        key: Any = None,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> Future:
        """Have a function called on the cluster.

        Parameters
        ----------
        fn
            What to call.
        *args, **kwargs
            Its arguments. Futures in them, however deep, become the values when it is called.
        key
            A name for the task; without it, one that no other task has.
        pure
            Whether the same call gives the same result each time: the key is then made from the
            call, and a result that is there already is not computed again.
        priority
            -32767 to 32767; higher runs first.
        retries
            How often the task is tried again after it raised.
        workers
            Names or addresses of the only workers that may run it.
        allow_other_workers
            Whether these are only preferred.
        resources
            What the task reserves on its worker while it runs, by name.

        Returns
        -------
        Future
            Of the result.

        Raises
        ------
        TypeError
            ``fn`` cannot be called.
        SerializationError
            The function or an argument cannot be pickled; the error says which.
        DuplicateKey
            The key stands for another task of this client.
        SettingsError
            An option has a value that it cannot have.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        check_callable(fn)
        options = make_options(priority, retries, workers, allow_other_workers, resources)
        return self._submitter.submit(fn, args, kwargs, key, pure=pure, options=options)

    def map(
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        key: Any = None,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> list[Future]:
        """Have a function called for each element of some iterables; ends with the shortest.

        The calls leave in batches, and the first are run while the last are being pickled.

        Parameters
        ----------
        fn
            What to call.
        *iterables
            Its positional arguments, as for the builtin ``map``.
        key
            A list of names, or a text for names to begin with.
        pure, priority, retries, workers, allow_other_workers, resources
            As for `submit`, for all calls.
        **kwargs
            Keyword arguments of all calls.

        Raises
        ------
        TypeError
            ``fn`` cannot be called, or something cannot be iterated over, or nothing is given to.
        SerializationError, DuplicateKey, SettingsError, PeerLost
            As for `submit`. Of what was submitted before, the futures are released.
        """
        check_callable(fn)
        if not iterables:
            raise TypeError("map needs at least one iterable")
        options = make_options(priority, retries, workers, allow_other_workers, resources)
        return self._submitter.map(fn, iterables, kwargs, key, pure=pure, options=options)

    def get(  # noqa: PLR0913 - the options of dask.distributed
        self,
        graph: Any,
        keys: Any,
        *,
        sync: bool = True,
        priority: int = 0,
        retries: int = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Compute keys of a graph.

        Parameters
        ----------
        graph
            A `hocket.graph.Graph`, a dict of tasks (ours or dask's), or a dask collection.
        keys
            A key, or nested lists of keys.
        sync
            Whether to wait for the values; if not, futures are returned.
        priority, retries, workers, allow_other_workers, resources
            As for `submit`, for all tasks.
        timeout
            Seconds to wait; None waits for ever.

        Returns
        -------
        object
            The value of the key, or nested lists of values.

        Raises
        ------
        UnknownKey, GraphCycle, InvalidGraph
            The graph cannot be computed; the error shows why.
        Exception
            What a task raised.
        TimeoutError
            The values are not there in time.
        """
        # Imported here: most clients never need graphs, which take long to import.
        from hocket.client.graphs import submit_graph  # noqa: PLC0415
        from hocket.graph.keys import arrange  # noqa: PLC0415

        options = make_options(priority, retries, workers, allow_other_workers, resources)
        session = self._session
        with session.lock:
            number = session.machine.take_numbers(1)
        suffix = f"-{session.machine.token}-{number}"
        batch_tasks = session.settings.client.submit_batch_tasks
        futures = submit_graph(self._submitter, graph, keys, suffix, batch_tasks, options)
        if not sync:
            return arrange(keys, futures)
        values = collect(session, [future.record for future in futures.values()], timeout)
        for value in values:
            if type(value) is Raised:
                raise value.error
        return arrange(keys, dict(zip(futures, values, strict=True)))

    def scatter(
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
        states = scatter(self._session, values, workers=names, broadcast=broadcast, by_content=hash)
        futures = [Future(state, self._session) for state in states]
        if single:
            return futures[0]
        if isinstance(data, dict):
            return dict(zip(data, futures, strict=True))
        return futures if isinstance(data, list) else type(data)(futures)

    def gather(
        self,
        futures: Any,
        errors: Literal["raise", "skip"] = "raise",
        timeout: float | None = None,
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
        TimeoutError
            They are not all there in time.
        """
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors is {errors!r}; it must be 'raise' or 'skip'")
        found = find_futures(futures)
        values = _collect(found, timeout, first_failure=errors == "raise")
        if errors == "raise":
            for value in values:
                if type(value) is Raised:
                    raise value.error
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

    def cancel(self, futures: Any) -> None:
        """Do without results that are not there yet; their status becomes ``"cancelled"``.

        Tasks are not run if they have not begun and nobody else wants them.
        """
        for future in (found := find_futures(futures)):
            if future.session is not self._session:
                future.cancel()
        self._session.cancel([future.record for future in found if future.session is self._session])

    def future(self, key: Any) -> Future:
        """Return a future of a key that is there already, say of another client.

        Raises
        ------
        PeerLost
            The client is closed, or its scheduler gone.
        """
        return Future(self._session.want(check_key(key)), self._session)


def _collect(futures: list[Future], timeout_s: float | None, *, first_failure: bool) -> list[Any]:
    """Return values, or `Raised` in their places; futures may be of several clients."""
    by_session: dict[ClientSession, list[int]] = {}
    for row, future in enumerate(futures):
        by_session.setdefault(future.session, []).append(row)
    left = deadline(timeout_s)
    values: list[Any] = [None] * len(futures)
    for session, rows in by_session.items():
        states = [futures[row].record for row in rows]
        collected = collect(session, states, left(), first_failure=first_failure)
        if len(by_session) == 1:
            return collected
        for row, value in zip(rows, collected, strict=True):
            values[row] = value
    return values


#: By number, the last made having the highest; only those that somebody keeps.
_clients: Final[weakref.WeakValueDictionary[int, Client]] = weakref.WeakValueDictionary()
_client_numbers: Final = itertools.count()


def current_client() -> Client:
    """Return the client made last that is still open.

    Raises
    ------
    PeerLost
        There is none.
    """
    for _, client in sorted(_clients.items(), reverse=True):
        if not client.closed:
            return client
    raise PeerLost(address="any scheduler", reason="no client is open; make one with Client(...)")


def _close_all() -> None:
    for client in list(_clients.values()):
        # Nobody is there any more to be told.
        with contextlib.suppress(Exception):
            client.close()


# Registered after the event loop's own, and so run before it.
atexit.register(_close_all)
