"""Services beside a role: what installed packages add to a scheduler or a worker, by entry point.

A role does not know them; the group of entry points is what they agree on. Each entry is a
function that takes `RoleFacts` on the role's loop, starts something there (without waiting for
anything), and returns it, or None if it has nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final, Protocol

from hocket.core.settings import Settings
from hocket.protocol.feed import Reader
from hocket.protocol.roles import Role

__all__ = [
    "SCHEDULER_SERVICES",
    "WORKER_SERVICES",
    "Readable",
    "RoleFacts",
    "Service",
    "close_services",
    "link_of",
    "start_services",
]

_logger: Final = logging.getLogger("hocket.transport")

SCHEDULER_SERVICES: Final = "hocket.scheduler.services"
WORKER_SERVICES: Final = "hocket.worker.services"


class Readable(Protocol):
    """A feed that can be read, as a `hocket.protocol.feed.Source` can."""

    def read(self, kinds: int, position: int) -> Reader:
        """Begin to read."""


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What a service is told of the role that it stands beside.

    Attributes
    ----------
    role, name
        Which.
    scheduler_address
        Where the scheduler of its cluster listens.
    settings, secret
        Those of the role.
    feed
        What happens in it, to be read on the loop on which the service is started; None: it is
        read at the scheduler's address.
    """

    role: Role
    name: str
    scheduler_address: str
    settings: Settings
    secret: str
    feed: Readable | None = None


class Service(Protocol):
    """Something that runs beside a role."""

    #: Where people see it, as a URL; empty if they do not.
    link: str

    async def close(self) -> None:
        """End it."""


def start_services(group: str, facts: RoleFacts) -> list[Service]:
    """Start all services of a group; one that fails is logged, and the role goes on without it."""
    services: list[Service] = []
    for entry in entry_points(group=group):
        try:
            service = entry.load()(facts)
        except Exception:
            # A role must not fall with what stands beside it.
            _logger.exception("the service %s cannot be started", entry.name)
            continue
        if service is not None:
            services.append(service)
    return services


async def close_services(services: Iterable[Service]) -> None:
    """End services; one that fails is logged."""
    for service in services:
        try:
            await service.close()
        except Exception:
            _logger.exception("a service cannot be closed")


def link_of(services: Sequence[Service]) -> str:
    """Return where people see the first service that has a link; empty if there is none."""
    return next((service.link for service in services if service.link), "")
