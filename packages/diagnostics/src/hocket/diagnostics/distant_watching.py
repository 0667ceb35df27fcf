"""Watching a scheduler over the wire, from a process that is no part of the cluster."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from hocket.core.errors import HocketError, PeerLost
from hocket.core.settings import Settings
from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.watching import BASIC, LINGER_S, kinds_apart
from hocket.protocol.feed import Answer, Question
from hocket.protocol.messages import Events, GrantCredit, Snapshot, Subscribe, Unsubscribe
from hocket.protocol.messages.feed import EventKinds
from hocket.protocol.roles import Role
from hocket.transport import Channel, connect, monotonic

__all__ = ["DistantWatch"]

#: How long who needs something waits for the first answer, and between two attempts to connect.
_FIRST_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 2.0
_ANSWER_TIMEOUT_S: Final = 10.0
#: Events that may be on their way at once.
_CREDIT: Final = 50_000


class DistantWatch:
    """Watches the scheduler at an address; connects when something is needed.

    Parameters
    ----------
    address, secret, settings
        Of the scheduler.
    """

    def __init__(self, address: str, *, secret: str, settings: Settings) -> None:
        self.model: ClusterModel = ClusterModel()
        self._address = address
        self._secret = secret
        self._settings = settings
        self._channel: Channel | None = None
        self._state = "nobody has looked yet"
        self._subscriptions: dict[EventKinds, _Subscription] = {}
        self._numbers = itertools.count(1)
        self._questions: dict[int, asyncio.Future[Answer]] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def state(self) -> str:
        """``"live"``, or in words what is wrong."""
        return self._state

    async def need(self, kinds: EventKinds) -> None:
        """Make sure that the model hears of these, now and for a while."""
        if self._closed:
            return
        fresh = []
        for kind in kinds_apart(kinds):
            subscription = self._subscriptions.get(kind)
            if subscription is None:
                subscription = self._subscriptions[kind] = _Subscription(kind)
            subscription.needed_s = monotonic()
            if not subscription.begun.is_set():
                fresh.append(subscription)
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
        elif self._channel is not None:
            for subscription in fresh:
                self._subscribe(subscription)
        if fresh:
            try:
                async with asyncio.timeout(_FIRST_TIMEOUT_S):
                    await asyncio.gather(*(each.begun.wait() for each in fresh))
            except TimeoutError:
                pass  # Its state says why.

    async def ask(self, question: Question) -> Answer:
        """Ask for something that stands in no event."""
        await self.need(BASIC)
        if self._channel is None:
            raise PeerLost(address=self._address, reason=self._state)
        number = next(self._numbers)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._questions[number] = future
        self._channel.send([replace(question, request=number)])
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                return await future
        finally:
            del self._questions[number]

    async def close(self) -> None:
        """Stop watching. May be called twice."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        channel = self._channel
        self._leave("the dashboard was closed")
        if channel is not None:
            await channel.wait_closed()

    async def _keep(self) -> None:
        """Be connected while something is needed."""
        try:
            while self._subscriptions:
                if self._channel is None:
                    await self._connect()
                await asyncio.sleep(_RETRY_S)
                self._expire()
        finally:
            self._keeper = None
            self._leave("nobody looks any more")

    async def _connect(self) -> None:
        try:
            self._channel = await connect(
                self._address,
                role=Role.OBSERVER,
                name=f"dashboard-{secrets.token_hex(4)}",
                secret=self._secret,
                settings=self._settings,
                on_messages=self._on_messages,
                on_closed=self._on_closed,
                connect_timeout_s=_RETRY_S,
            )
        except HocketError as error:
            self._state = f"cannot reach the scheduler: {error}"
            return
        self._state = "connecting"
        for subscription in self._subscriptions.values():
            self._subscribe(subscription)

    def _subscribe(self, subscription: _Subscription) -> None:
        if self._channel is not None and not subscription.request:
            subscription.request = next(self._numbers)
            message = Subscribe(
                subscription.request,
                kinds=int(subscription.kinds),
                position=subscription.position,
                credit=_CREDIT,
                interval_s=0.2,
            )
            self._channel.send([message])

    def _expire(self) -> None:
        """End subscriptions that nobody has needed for a while."""
        now_s = monotonic()
        for kind, subscription in list(self._subscriptions.items()):
            if now_s - subscription.needed_s > LINGER_S:
                if self._channel is not None and subscription.request:
                    self._channel.send([Unsubscribe(subscription.request)])
                del self._subscriptions[kind]

    def _leave(self, reason: str) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close(reason)
        self._forget_channel(reason)

    def _forget_channel(self, reason: str) -> None:
        self._state = reason
        for subscription in self._subscriptions.values():
            subscription.request = 0
            subscription.begun.clear()
        for future in self._questions.values():
            if not future.done():
                future.set_exception(PeerLost(address=self._address, reason=reason))

    def _on_closed(self, channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001
        del clean
        if channel is self._channel:
            self._channel = None
            self._forget_channel(f"the scheduler is gone: {reason}")

    def _on_messages(self, channel: Channel, messages: list[Struct]) -> None:
        if channel is not self._channel:
            return
        for message in messages:
            self._on_message(message)

    def _on_message(self, message: Any) -> None:
        question = self._questions.get(message.request)
        if question is not None:
            if not question.done():
                question.set_result(message)
            return
        subscription = next(
            (one for one in self._subscriptions.values() if one.request == message.request), None
        )
        if subscription is None:
            return
        if isinstance(message, Snapshot):
            self._state = "live"
            if subscription.kinds == BASIC:
                self.model.begin(message)
            subscription.begun.set()
        elif isinstance(message, Events):
            self.model.fold(message.events, lost=message.dropped)
            subscription.position = message.following
            if self._channel is not None and message.events:
                self._channel.send([GrantCredit(message.request, len(message.events))])


class _Subscription:
    """One subscription: what of, how far it has come, and when it was needed last."""

    def __init__(self, kinds: EventKinds) -> None:
        self.kinds = kinds
        self.request = 0
        #: The number of the first event that has not been seen; 0: the oldest that is kept.
        self.position = 0
        self.needed_s = 0.0
        self.begun = asyncio.Event()
