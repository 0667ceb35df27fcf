"""The client: the door to a cluster for its users."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import operator
import os
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal, Self

from hocket.client.calling import Caller
from hocket.client.computing import Computer
from hocket.client.equipping import Equipper
from hocket.client.failures import Raised
from hocket.client.futures import Future
from hocket.client.gather import SKIPPED, fill, find_futures
from hocket.client.inspecting import Inspector
from hocket.client.moving import Mover
from hocket.client.options import check_key
from hocket.client.publishing import Publisher
from hocket.client.shell.blocking import deadline
from hocket.client.shell.cluster import find_cluster
from hocket.client.shell.collect import collect
from hocket.client.shell.scatter import scatter
from hocket.client.shell.session import ClientSession
from hocket.client.submit import Submitter
from hocket.core.errors import PeerLost
from hocket.core.settings import Settings
from hocket.core.settings_file import load_settings
from hocket.transport.loop import shared_loop

__all__ = ["Client", "current_client"]

_TOKEN_NBYTES: Final = 5


class Client(Caller, Computer, Mover, Inspector, Equipper, Publisher):
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
    set_as_default
        Whether dask computes with this client, as long as it is open and nothing else is said;
        dask's shuffles go by tasks then.

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

    #: Whether it belongs to code inside tasks, and so is none that others come upon.
    _of_tasks: ClassVar[bool] = False

    def __init__(
        self,
        address_or_cluster: Any = None,
        *,
        name: str | None = None,
        secret: str | None = None,
        settings: Settings | None = None,
        timeout_s: float | None = None,
        set_as_default: bool = False,
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
            of_tasks=self._of_tasks,
        )
        self._session = session
        #: Called with the client when it ends.
        self._end_default: Callable[[Client], None] = _do_nothing
        self.cluster: Any = address_or_cluster if found.owned is None else found.owned
        self._owned = found.owned
        try:
            session.open(settings.client.connect_timeout_s if timeout_s is None else timeout_s)
        except BaseException:
            self._end()
            raise

        def scatter_arguments(values: list[Any]) -> list[Future]:
            return [Future(state, session) for state in scatter(session, values)]

        self._submitter = Submitter(session, scatter_arguments)
        if set_as_default:
            self._make_default()
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
    def asynchronous(self) -> bool:
        """Whether its calls return before they are done; dask asks."""
        return False

    @property
    def settings(self) -> Settings:
        """The settings that it works with."""
        return self._session.settings

    def close(self) -> None:
        """Leave the cluster; what is pending is cancelled, and results are let go.

        A cluster that the client started is closed as well. May be called twice.
        """
        self._end()

    def _make_default(self) -> None:
        # Imported here: not everybody has dask.
        from hocket.client.dask_adapter.default import end_default, make_default  # noqa: PLC0415

        try:
            make_default(self)
        except BaseException:
            self._end()
            raise
        self._end_default = end_default

    def _end(self) -> None:
        self._end_default(self)
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

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        # dask's configuration, of which it may be a part, is copied here and there.
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Client cannot be pickled; a task calls get_client()")

    # ------------------------------------------------------------------ results

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

    def retry(self, futures: Any) -> None:
        """Have tasks that failed run again, and those that they failed for.

        Their futures are pending from now on; futures that have not failed stay as they are.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`.

        Raises
        ------
        PeerLost
            The client is closed, or its scheduler gone.
        """
        by_session: dict[ClientSession, list[Future]] = {}
        for future in find_futures(futures):
            by_session.setdefault(future.session, []).append(future)
        for session, found in by_session.items():
            session.retry([future.record for future in found])

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
            client._end()  # noqa: SLF001 - of this file


# Registered after the event loop's own, and so run before it.
atexit.register(_close_all)
