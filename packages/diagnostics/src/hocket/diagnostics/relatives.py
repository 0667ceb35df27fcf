"""What a worker's pages know of the rest of the cluster: its scheduler's pages, its siblings."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from hocket.core.errors import HocketError, PeerLost
from hocket.core.settings import Settings
from hocket.diagnostics.model.cluster import natural
from hocket.protocol.messages import ClusterDescribed, DescribeCluster
from hocket.protocol.roles import Role
from hocket.transport import Channel, connect, monotonic

__all__ = ["SIBLINGS_MAX", "Relatives"]

_logger: Final = logging.getLogger("hocket.diagnostics")

#: Siblings that are listed; of more, the scheduler's own page has a table.
SIBLINGS_MAX: Final = 60
#: How long an answer holds, and how long one waits for it, in seconds.
_LIFE_S: Final = 15.0
_TIMEOUT_S: Final = 1.5


class Relatives:
    """Asks the scheduler who else is there, when somebody looks at a worker's pages.

    Parameters
    ----------
    address, secret, settings
        Of the scheduler.
    now
        A clock.
    """

    def __init__(
        self, address: str, secret: str, settings: Settings, now: Callable[[], float] = monotonic
    ) -> None:
        self._address = address
        self._secret = secret
        self._settings = settings
        self._now = now
        self._asked_s = -_LIFE_S
        self._lock = asyncio.Lock()
        #: Where the scheduler's pages are; empty: it has none, or does not answer.
        self.scheduler_url = ""
        #: Names of workers, in order; none if there are too many.
        self.siblings: list[str] = []
        #: Names of workers by each address where they have data.
        self.names: dict[str, str] = {}

    async def look(self) -> None:
        """Ask, unless that was done just before; who does not answer soon is not waited for."""
        async with self._lock:
            if self._now() - self._asked_s < _LIFE_S:
                return
            self._asked_s = self._now()
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    self._take(await self._ask())
            except (HocketError, TimeoutError) as error:
                # The page is shown without.
                _logger.debug("the scheduler does not say who is there: %s", error)

    def _take(self, answer: Any) -> None:
        if not isinstance(answer, ClusterDescribed):
            return
        self.scheduler_url = answer.dashboard.removesuffix("login")
        self.names = {
            address: worker.name
            for worker in answer.workers
            for address in worker.address.split(",")
        }
        names = sorted((worker.name for worker in answer.workers), key=natural)
        self.siblings = names if len(names) <= SIBLINGS_MAX else []

    async def _ask(self) -> Struct:
        answered: asyncio.Future[Struct] = asyncio.get_running_loop().create_future()

        def on_messages(_channel: Channel, messages: list[Struct]) -> None:
            if not answered.done():
                answered.set_result(messages[0])

        def on_closed(_channel: Channel, reason: str, _clean: bool) -> None:  # noqa: FBT001
            if not answered.done():
                answered.set_exception(PeerLost(address=self._address, reason=reason))

        channel = await connect(
            self._address,
            role=Role.OBSERVER,
            name=f"pages-{secrets.token_hex(4)}",
            secret=self._secret,
            settings=self._settings,
            on_messages=on_messages,
            on_closed=on_closed,
            connect_timeout_s=_TIMEOUT_S,
        )
        try:
            channel.send([DescribeCluster(1)])
            return await answered
        finally:
            channel.close("it was answered")
            await channel.wait_closed()
