"""Consumers: what users write to be handed the scheduler's events, wherever they run."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import ClassVar

from hocket.core.errors import SettingsError
from hocket.protocol.messages import Snapshot
from hocket.protocol.messages.feed import Event, EventKinds

__all__ = ["EventConsumer", "load_consumer"]


class EventConsumer:
    """Is handed what happens in a cluster; to be derived from.

    It only looks on: one that is slow loses the oldest events and is told how many, and the
    scheduler waits for none. Its methods are called one after the other, never in an event loop.

    Attributes
    ----------
    name
        One that is registered under the name of another takes its place; empty: that of its class.
    kinds
        What it wants to hear of, a sum of `hocket.protocol.messages.feed.EventKinds`.
    """

    name: ClassVar[str] = ""
    kinds: ClassVar[int] = EventKinds.USUAL

    def begin(self, snapshot: Snapshot) -> None:
        """Take what there is before the first event: workers, groups of tasks, clients."""

    def consume(self, events: Sequence[Event], dropped: int) -> None:
        """Take events, in the order in which they happened; so many before them were lost."""

    def end(self, reason: str) -> None:
        """Take note that no more will come, and why."""


def load_consumer(place: str) -> EventConsumer:
    """Return the consumer that settings name.

    Parameters
    ----------
    place
        ``package.module:Class``, of what can be imported here, and called without arguments.

    Raises
    ------
    SettingsError
        It cannot be.
    """
    module_name, _, name = place.partition(":")
    problem = "it must be package.module:Class"
    if module_name and name:
        try:
            made = getattr(importlib.import_module(module_name), name)()
        except Exception as error:  # noqa: BLE001 - it is the user's code
            problem = f"it cannot be made: {type(error).__name__}: {error}"
        else:
            if isinstance(made, EventConsumer):
                return made
            problem = "it must be derived from hocket.protocol.feed.EventConsumer"
    raise SettingsError(
        name="scheduler.consumers", value=place, allowed=problem, source="the settings"
    )
