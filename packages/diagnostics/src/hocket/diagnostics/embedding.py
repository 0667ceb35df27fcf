"""The door of a scheduler's or worker's dashboard: a socket that listens, and nothing else.

Behind it nothing is imported and nothing runs until somebody knocks. Then a thread with a loop of
its own starts the server (`hocket.diagnostics.web`), so that the role's loop is never blocked.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import logging
import socket
from typing import TYPE_CHECKING, Final

from hocket.core.settings import Settings
from hocket.diagnostics.web.reach import needs_login, uses_tls
from hocket.protocol.roles import Role
from hocket.transport.loop import LoopThread
from hocket.transport.services import RoleFacts

if TYPE_CHECKING:
    from hocket.diagnostics.relatives import Relatives
    from hocket.diagnostics.watching import Watch
    from hocket.diagnostics.web.server import DashboardServer

__all__ = ["Door", "link_of_socket", "listen", "open_door", "service"]

_logger: Final = logging.getLogger("hocket.diagnostics")

_BACKLOG: Final = 128
_CLOSE_TIMEOUT_S: Final = 3.0


def service(facts: RoleFacts) -> Door | None:
    """Open the door beside a scheduler or a worker; the entry points name this function."""
    own = facts.settings.diagnostics
    if not own.enabled or any(importlib.util.find_spec(name) is None for name in _NEEDED):
        return None
    if facts.feed is None:
        return None
    return open_door(facts)


#: What the pages need; without it there are none.
_NEEDED: Final = ("tornado", "bokeh")


def open_door(facts: RoleFacts) -> Door:
    """Listen; any free port does if the one of the settings is taken."""
    own = facts.settings.diagnostics
    port = own.port if facts.role is Role.SCHEDULER else own.worker_port
    try:
        listening = listen(own.host, port)
    except OSError as error:
        if not port:
            raise
        listening = listen(own.host, 0)
        _logger.warning(
            "port %d of the setting diagnostics.port is not to be had (%s): the dashboard is at"
            " port %d",
            port,
            error,
            listening.getsockname()[1],
        )
    return Door(facts, listening)


class Door:
    """A listening socket that starts a server when somebody knocks.

    Parameters
    ----------
    facts
        Of the role.
    listening
        The socket; the door owns it.
    """

    def __init__(self, facts: RoleFacts, listening: socket.socket) -> None:
        self._facts = facts
        self._socket = listening
        self._thread: LoopThread | None = None
        self._server: DashboardServer | None = None
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._closed = False
        #: Where people see it.
        self.link = link_of_socket(facts.settings, listening, facts.scheduler_address)
        if needs_login(facts.settings, facts.settings.diagnostics.host):
            # (By this who has the secret knows that a login is to be added.)
            self.link += "login"
        self._loop.add_reader(listening.fileno(), self._knock)

    @property
    def is_asleep(self) -> bool:
        """Whether nobody has knocked yet."""
        return self._thread is None

    async def close(self) -> None:
        """Close the door and end what is behind it. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._thread is None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
        else:
            await asyncio.to_thread(self._end, self._thread)

    def _knock(self) -> None:
        """Start the server behind the door; the knock itself waits in the socket's queue."""
        self._loop.remove_reader(self._socket.fileno())
        self._thread = LoopThread("hocket-dashboard", "asyncio")
        self._thread.call(self._start)

    def _start(self) -> None:
        """Start the server, on its own loop."""
        try:
            # Imported here: before the first knock nobody needs it.
            from hocket.diagnostics.web.server import DashboardServer  # noqa: PLC0415

            facts = self._facts
            is_scheduler = facts.role is Role.SCHEDULER
            server = DashboardServer(
                "scheduler" if is_scheduler else "worker",
                "" if is_scheduler else facts.name,
                _make_watch(facts, self._loop),
                settings=facts.settings,
                secret=facts.secret,
                host=facts.settings.diagnostics.host,
                relatives=None if is_scheduler else _make_relatives(facts),
            )
            server.start([self._socket])
            self._server = server
        except Exception:
            # The role goes on without pages.
            _logger.exception("the dashboard cannot be started")
            self._socket.close()

    def _end(self, thread: LoopThread) -> None:
        async def end() -> None:
            if self._server is not None:
                await self._server.close()

        try:
            thread.run(end(), _CLOSE_TIMEOUT_S)
        except TimeoutError:
            _logger.warning("the dashboard did not end in time")
        finally:
            thread.close()
            self._socket.close()


def _make_watch(facts: RoleFacts, loop: asyncio.AbstractEventLoop) -> Watch:
    from hocket.diagnostics.local_watching import LocalWatch  # noqa: PLC0415
    from hocket.diagnostics.model import ClusterModel  # noqa: PLC0415

    only = "" if facts.role is Role.SCHEDULER else facts.name
    assert facts.feed is not None
    return LocalWatch(facts.feed, loop, ClusterModel(only=only))


def _make_relatives(facts: RoleFacts) -> Relatives:
    from hocket.diagnostics.relatives import Relatives  # noqa: PLC0415

    return Relatives(facts.scheduler_address, facts.secret, facts.settings)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0: any that is free."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)  # noqa: FBT003 - it is the name of the call
    except BaseException:
        listening.close()
        raise
    return listening


def link_of_socket(settings: Settings, listening: socket.socket, scheduler_address: str) -> str:
    """Return the URL by which people reach a socket."""
    own = settings.diagnostics
    host = own.host
    if host in {"", "0.0.0.0", "::", "*"}:  # noqa: S104 - it is compared, not bound
        host = _outer_host(scheduler_address)
    if ":" in host:
        host = f"[{host}]"
    prefix = own.prefix.strip().strip("/")
    scheme = "https" if uses_tls(settings, own.host) else "http"
    return f"{scheme}://{host}:{listening.getsockname()[1]}/" + (f"{prefix}/" if prefix else "")


@functools.cache
def _outer_host(scheduler_address: str) -> str:
    """Return an address of this host that others can reach: that towards the scheduler."""
    try:
        from hocket.transport import parse  # noqa: PLC0415

        target = getattr(parse(scheduler_address), "host", "") or "192.0.2.1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))  # (No packet is sent.)
            host: str = probe.getsockname()[0]
    except (OSError, ValueError):
        return socket.gethostname()
    return host
