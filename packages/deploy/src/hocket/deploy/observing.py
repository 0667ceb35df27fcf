"""Looking into a cluster with no more than an observer's key: it may read, and change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self

from msgspec import Struct

from hocket.client.explaining import Explained, explained_of
from hocket.client.inspecting import facts_of
from hocket.core.recent_logs import LogLine
from hocket.core.settings import Settings
from hocket.deploy.scheduler_session import SchedulerSession
from hocket.protocol.invitation import Invitation
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    Events,
    ExplainKeys,
    GrantCredit,
    KeysExplained,
    RequestRefused,
    Subscribe,
)
from hocket.protocol.messages.feed import EventKinds, LineLogged
from hocket.protocol.roles import Role
from hocket.transport import Channel
from hocket.transport.loop import shared_loop

__all__ = ["Observer"]

#: Keys in one question.
_KEYS_AT_ONCE: Final = 1000
#: Workers look up at this pace while somebody reads what they log; some rounds bring it all.
_LOGS_S: Final = 2.0
#: Requests count from 1.
_LOGS_REQUEST: Final = 0


class Observer:
    """A cluster, as an observer sees it; to be used in a ``with`` block.

    Parameters
    ----------
    invitation, settings
        How to join.
    """

    def __init__(self, invitation: Invitation, settings: Settings) -> None:
        self.address = invitation.address
        self._loop = shared_loop()
        self._session = _Session(invitation.address, invitation.secret, settings)

    def __enter__(self) -> Self:
        self._loop.run(self._session.open())
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.run(self._session.close())

    def scheduler_info(self) -> dict[str, Any]:
        """Return facts about the cluster; see `hocket.client.Client.scheduler_info`."""
        return facts_of(self._loop.run(self._session.describe()))

    def why(self, keys: Sequence[str]) -> list[Explained]:
        """Explain where tasks are; see `hocket.client.Client.why`."""
        return self._loop.run(self._session.explain(keys))

    def recent_lines(self) -> dict[str, list[LogLine]]:
        """Return what workers logged lately and tasks printed there, by the worker's name."""
        return self._loop.run(self._session.read_lines())


class _Session(SchedulerSession):
    """The session."""

    role = Role.OBSERVER
    name = "onlooker"
    answers = (ClusterDescribed, KeysExplained, RequestRefused)

    def __init__(self, address: str, secret: str, settings: Settings) -> None:
        super().__init__(address, secret, settings)
        self._lines: dict[str, list[LogLine]] = {}

    async def describe(self) -> ClusterDescribed:
        described: ClusterDescribed = await self._ask(DescribeCluster)
        return described

    async def explain(self, keys: Sequence[str]) -> list[Explained]:
        explained: list[Explained] = []
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            some = list(keys[first : first + _KEYS_AT_ONCE])
            answer: KeysExplained = await self._ask(
                lambda request, some=some: ExplainKeys(request, some)
            )
            explained += map(explained_of, answer.explanations)
        return explained

    async def read_lines(self) -> dict[str, list[LogLine]]:
        assert self._channel is not None
        self._lines = {}
        self._channel.send([Subscribe(_LOGS_REQUEST, int(EventKinds.LOGS), position=0)])
        await asyncio.sleep(_LOGS_S)
        return {name: sorted(lines) for name, lines in self._lines.items()}

    def _on_messages(self, channel: Channel, messages: list[Struct]) -> None:
        super()._on_messages(channel, messages)
        for message in messages:
            if isinstance(message, Events) and message.request == _LOGS_REQUEST:
                for event in message.events:
                    if isinstance(event, LineLogged) and event.worker:
                        self._lines.setdefault(event.worker, []).append(_line_of(event))
                channel.send([GrantCredit(_LOGS_REQUEST, len(message.events))])


def _line_of(event: LineLogged) -> LogLine:
    return LogLine(event.time_s, event.level, event.logger, event.key, event.text)
