"""The scheduler as a server: channels on one side, the machine on the other."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any

from hocket.core.errors import HocketError
from hocket.core.name_lists import split_names
from hocket.core.settings import Settings
from hocket.protocol.credentials import parse_secret
from hocket.protocol.messages import SecretChanged
from hocket.protocol.roles import Role
from hocket.scheduler.machine import SchedulerMachine
from hocket.scheduler.shell.calling import PermittedCaller
from hocket.scheduler.shell.consumers import Consumers
from hocket.scheduler.shell.onlooking import Onlooking
from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM
from hocket.scheduler.tables import Limits
from hocket.transport.address import join, parse
from hocket.transport.channel import Channel
from hocket.transport.clock import monotonic, now
from hocket.transport.interfaces import advertise, host_networks
from hocket.transport.keyring import current_secret, replace_secret
from hocket.transport.listener import Listener, listen
from hocket.transport.services import (
    SCHEDULER_SERVICES,
    RoleFacts,
    Service,
    close_services,
    link_of,
    start_services,
)
from hocket.transport.tls import pin_of

__all__ = ["Scheduler"]

log = logging.getLogger("hocket.scheduler")

#: A scheduler grants fewer locks than two to this power in each second that it lives.
_TOKENS_PER_S_BITS = 20
_CLUSTER_ID_NBYTES = 8


class Scheduler:
    """A scheduler on the running event loop.

    Parameters
    ----------
    settings
        Timings and bounds.
    secret
        What peers must prove to know; may be empty on this host only.
    cluster_id
        The cluster's, which is told to all that come; empty: a fresh one.
    on_ended
        Called with the reason when a client has ended the cluster: whoever has started the
        scheduler is to close it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        secret: str = "",
        cluster_id: str = "",
        on_ended: Callable[[str], None] | None = None,
    ) -> None:
        self._on_ended = on_ended or _nobody_minds
        self.cluster_id = cluster_id or secrets.token_hex(_CLUSTER_ID_NBYTES)
        self._settings = settings
        self._secret = secret
        limits = settings.scheduler
        frame_nbytes_max = settings.transport.frame_nbytes_max
        self.machine = SchedulerMachine(
            Limits(
                allowed_failures_count=limits.allowed_failures,
                window_s=limits.window_s,
                window_tasks_min=limits.window_tasks_min,
                window_tasks_max=limits.window_tasks_max,
                unknown_duration_s=limits.unknown_duration_s,
                memory_part=limits.memory_part,
                placement=limits.placement,
                clients_may_end=limits.clients_may_end,
                permitted_functions=frozenset(split_names(limits.permitted_functions)),
                # A frame may pass its aim by one row, so the aim stays well below the limit.
                frame_nbytes_aim=min(FRAME_NBYTES_AIM, frame_nbytes_max // 4),
                answer_nbytes_max=frame_nbytes_max // 2,
            ),
            # So that tokens grow beyond those of schedulers before this one.
            first_token=int(now()) << _TOKENS_PER_S_BITS,
        )
        #: What happens, for those who look on: a `hocket.protocol.feed.Source`.
        self.feed = Onlooking(self.machine, self._schedule_turn)
        self._caller = PermittedCaller(self._on_returned)
        self._channels: dict[int, Channel] = {}
        self._ids: dict[Channel, int] = {}
        self._ids_count = 0
        self._turn_is_due = False
        self._closed = False
        self._is_over = False
        self._look_again: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[Listener] = []
        self._services: list[Service] = []
        self._consumers: Consumers | None = None

    @property
    def address(self) -> str:
        """Where it listens first."""
        return self._listeners[0].address if self._listeners else ""

    @property
    def dashboard_link(self) -> str:
        """Where its pages are, as a URL; empty if it has none."""
        return link_of(self._services)

    async def start(self, *addresses: str) -> None:
        """Listen on these addresses (port 0: any free one).

        Raises
        ------
        SettingsError
            An address is reachable from other hosts and there is no secret.
        """
        self._loop = asyncio.get_running_loop()
        try:
            for address in addresses:
                listener = await listen(
                    address,
                    role=Role.SCHEDULER,
                    name="scheduler",
                    secret=self._secret,
                    settings=self._settings,
                    on_channel=self._on_channel,
                    cluster_id=self.cluster_id,
                )
                self._listeners.append(listener)
        except BaseException:
            await self.close()
            raise
        self.machine.requests.address = join(
            advertise(parse(self.address), host_networks()) if self.address else ()
        )
        facts = RoleFacts(
            Role.SCHEDULER, "scheduler", self.address, self._settings, self._secret, self.feed
        )
        self._services = start_services(SCHEDULER_SERVICES, facts)
        self._consumers = Consumers(facts)
        self.machine.requests.dashboard = self.dashboard_link

    def replace_secret(self) -> str:
        """Make another secret, and tell all that are connected; return it.

        The one before it is good for ``security.rotation_grace_s`` yet.
        """
        before = current_secret(self._secret)
        renewed = parse_secret(before).renew(secrets.token_bytes(32))
        pin = pin_of(before)
        secret = renewed.to_text(Role.SCHEDULER)
        replace_secret(before, secret, self._settings.security.rotation_grace_s)
        for channel in list(self._ids):
            text = renewed.to_text(channel.peer.role, pin)
            self._send(channel, [[SecretChanged(text)]])
        return secret

    async def close(self) -> None:
        """Say goodbye to everybody, and why, and stop listening."""
        reason = self.machine.ending.reason or "the scheduler is closing"
        self._closed = True
        services, self._services = self._services, []
        await close_services(services)
        self.feed.close()
        self._caller.close()
        for channel in list(self._ids):
            channel.close(reason)
        self._ids.clear()
        self._channels.clear()
        if self._look_again is not None:
            self._look_again.cancel()
        for listener in self._listeners:
            await listener.close()
        self._listeners.clear()
        if self._consumers is not None:
            await self._consumers.close()

    def _on_channel(self, channel: Channel) -> None:
        channel.on_messages = self._on_messages
        channel.on_closed = self._on_closed
        self._ids_count += 1
        id_ = self._ids_count
        if channel.peer.role is Role.CLIENT:
            self.machine.client_joined(id_, channel.peer.name)
        elif channel.peer.role is Role.WORKER:
            self.machine.worker_greeted(id_)
        elif channel.peer.role is Role.OBSERVER:
            self.machine.observer_joined(id_, channel.peer.name)
        else:
            channel.close(f"the scheduler does not serve the role {channel.peer.role.name}")
            return
        self._channels[id_] = channel
        self._ids[channel] = id_
        if self.machine.feed.kinds:
            self._schedule_turn()

    def _on_messages(self, channel: Channel, messages: list[Any]) -> None:
        id_ = self._ids.get(channel)
        if id_ is None:
            return
        kinds = self.machine.feed.kinds
        reason = self.machine.receive(id_, messages, monotonic())
        self.feed.messages_in_count += len(messages)
        if self.machine.feed.kinds != kinds:
            self.feed.look()
        if reason is not None:
            log.warning("closing the session of %s: %s", channel.peer.name, reason)
            channel.close(reason)
            self._forget(channel, reason)
        self._schedule_turn()

    def _on_closed(self, channel: Channel, reason: str, clean: bool) -> None:  # noqa: FBT001
        if channel in self._ids:
            if not clean:
                role = channel.peer.role.name.lower()
                log.warning("lost %s %s: %s", role, channel.peer.name, reason)
            self._forget(channel, reason)
            self._schedule_turn()

    def _send(self, channel: Channel, frames: list[list[Any]]) -> None:
        """Send frames to a peer; one that cannot be sent costs this peer's session and no other."""
        try:
            for frame in frames:
                channel.send(frame)
                self.feed.messages_out_count += len(frame)
        except HocketError as error:
            log.error("closing the session of %s: %s", channel.peer.name, error)  # noqa: TRY400
            channel.close(f"what it was to be told cannot be sent: {error}")
            self._forget(channel, str(error))
            self._schedule_turn()

    def _forget(self, channel: Channel, reason: str) -> None:
        id_ = self._ids.pop(channel)
        del self._channels[id_]
        self.machine.peer_lost(id_, reason, monotonic())
        self.feed.look()

    def _schedule_turn(self) -> None:
        if not self._turn_is_due and self._loop is not None:
            self._turn_is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_is_due = False
        if self._closed:
            return
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        self.feed.turns_count += 1
        for id_, frames in self.machine.turn(monotonic()):
            channel = self._channels.get(id_)
            if channel is not None:
                self._send(channel, frames)
        calls = self.machine.calls.take()
        if calls:
            self._caller.call(calls)
        if self.machine.ending.is_over and not self._is_over:
            self._is_over = True
            self._on_ended(self.machine.ending.reason)
        if self.machine.look_again_s is not None and self._loop is not None:
            self._look_again = self._loop.call_later(self.machine.look_again_s, self._schedule_turn)

    def _on_returned(self, number: int, value: bytes | None, error: str) -> None:
        self.machine.calls.returned(number, value, error)
        self._schedule_turn()


def _nobody_minds(_reason: str) -> None:
    """Leave it to peers to go away."""
