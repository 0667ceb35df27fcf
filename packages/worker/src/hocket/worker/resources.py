"""Amounts with names (GPUs, licences, memory) that tasks reserve while they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hocket.core.resource_names import GPU, MEMORY
from hocket.worker.devices import Devices
from hocket.worker.units import UNITS, Needs, needs_of

__all__ = ["Resources"]


class Resources:
    """What a worker offers, and what of it is free.

    Parameters
    ----------
    offered
        Amounts by name; what has no name here is not there.
    devices
        Indices of the devices behind a resource, as many as there is of it. A whole amount of
        `GPU` has the devices 0, 1, ... unless told otherwise.
    memory_limit
        In bytes; offered as `MEMORY` unless that is among the others. 0: no limit, nothing offered.

    Raises
    ------
    ValueError
        An amount is negative or not finite, or differs from the number of devices.
    """

    __slots__ = ("devices", "free", "offered", "total")

    def __init__(
        self,
        offered: Mapping[str, float],
        devices: Mapping[str, Sequence[int]] | None = None,
        memory_limit: int = 0,
    ) -> None:
        self.offered = dict(offered)
        if memory_limit:
            self.offered.setdefault(MEMORY, memory_limit)
        needs = needs_of(self.offered)
        if needs is None:
            # From the worker's own command line, so no peer can bring this about.
            raise ValueError(f"resources must be finite and not negative: {self.offered!r}")
        self.total: dict[str, int] = dict(needs)
        self.free: dict[str, int] = dict(needs)
        indices = dict(devices or {})
        count, part = divmod(self.total.get(GPU, 0), UNITS)
        if count and not part:
            indices.setdefault(GPU, range(count))
        self.devices: dict[str, Devices] = {}
        for name, each in indices.items():
            if len(set(each)) * UNITS != self.total.get(name, 0):
                raise ValueError(
                    f"the worker offers {self.offered.get(name, 0)} of {name!r},"
                    f" so it needs as many different devices, not {list(each)!r}"
                )
            self.devices[name] = Devices(each)

    def could_ever_fit(self, needs: Needs) -> bool:
        """Whether these needs fit when nothing else runs."""
        return all(self.total.get(name, 0) >= units for name, units in needs)

    def fit(self, needs: Needs) -> bool:
        """Whether these needs fit now."""
        for name, units in needs:
            if self.free.get(name, 0) < units:
                return False
            if name in self.devices and not self.devices[name].fit(units):
                return False
        return True

    def reserve(self, needs: Needs) -> None:
        """Take what fits."""
        for name, units in needs:
            self.free[name] -= units

    def release(self, needs: Needs) -> None:
        """Give back what was reserved."""
        for name, units in needs:
            self.free[name] += units

    def take_devices(self, needs: Needs) -> Mapping[str, tuple[int, ...]]:
        """Choose the devices that go with what is reserved; return their indices by resource."""
        return {
            name: self.devices[name].reserve(units) for name, units in needs if name in self.devices
        }

    def give_devices_back(self, needs: Needs, taken: Mapping[str, tuple[int, ...]]) -> None:
        """Give back what `take_devices` gave for these needs."""
        for name, units in needs:
            if name in taken:
                self.devices[name].release(units, taken[name])
