"""Reservations, counted from outside: what running tasks have is there, and nobody else has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hocket.core.errors import InvariantBroken
from hocket.core.resource_names import GPU
from hocket.worker.state import Task
from hocket.worker.units import UNITS

__all__ = ["check_reservations"]


def check_reservations(name: str, resources: Mapping[str, float], tasks: Sequence[Task]) -> None:
    """Raise InvariantBroken if running tasks have more of something than there is."""
    used: Counter[str] = Counter()
    whole: set[tuple[str, int]] = set()
    parts: Counter[tuple[str, int]] = Counter()
    for task in tasks:
        for resource, units in task.terms.needs:
            used[resource] += units
            devices = list(task.devices.get(resource, ()))
            count, part = divmod(units, UNITS)
            if resource == GPU and len(devices) != count + bool(part):
                detail = f"{name}: {task} has {devices} for {units / UNITS}"
                raise InvariantBroken(rule="who needs devices has them", detail=detail)
            for index in devices[:count]:
                if (resource, index) in whole:
                    detail = f"{name}: {resource} {index}, twice"
                    raise InvariantBroken(rule="a whole device has one task", detail=detail)
                whole.add((resource, index))
            for index in devices[count:]:
                parts[resource, index] += part
    for device, units in parts.items():
        if units > UNITS or device in whole:
            raise InvariantBroken(rule="a shared device is not full", detail=f"{name}: {device}")
    for resource, units in used.items():
        if units > resources.get(resource, 0) * UNITS:
            detail = f"{name}: {units / UNITS} of {resources.get(resource, 0)} {resource}"
            raise InvariantBroken(rule="no more is reserved than there is", detail=detail)
