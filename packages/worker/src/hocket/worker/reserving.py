"""What is reserved of a worker's resources, and who holds which of its devices; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from hocket.protocol.messages.feed import DEVICE_KEYS_MAX, DEVICES_MAX, DeviceSampled
from hocket.worker.actors import Actor
from hocket.worker.resources import Resources
from hocket.worker.state import Task
from hocket.worker.units import UNITS

__all__ = ["devices_of", "reserved_of"]

#: Who may hold devices.
_Holder: TypeAlias = Task | Actor
_NO_NAMES: Final[Sequence[str]] = ()


def reserved_of(resources: Resources) -> dict[str, float]:
    """Return the amounts that are reserved, by resource."""
    return {name: (total - resources.free[name]) / UNITS for name, total in resources.total.items()}


def devices_of(
    resources: Resources, holders: Iterable[_Holder], names: Mapping[str, Sequence[str]]
) -> list[DeviceSampled]:
    """Return the devices of all resources, also those that nobody holds.

    Parameters
    ----------
    resources
        The worker's.
    holders
        Tasks that run, and actors.
    names
        Of devices, by resource; a device is called by its index where there is none.
    """
    if not resources.devices:
        return []
    keys: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for holder in holders:
        for resource, indices in holder.devices.items():
            for index in indices:
                keys[resource, index].append(holder.key)
    found = []
    for resource, devices in resources.devices.items():
        called = names.get(resource, _NO_NAMES)
        for index, free in devices.free.items():
            found.append(
                DeviceSampled(
                    resource,
                    index,
                    called[index] if index < len(called) else "",
                    (UNITS - free) / UNITS,
                    keys[resource, index][:DEVICE_KEYS_MAX],
                )
            )
    return found[:DEVICES_MAX]
