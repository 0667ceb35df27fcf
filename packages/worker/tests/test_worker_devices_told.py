"""Who has which device, and how GPUs are: what stands in a sample."""

from __future__ import annotations

import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.messages.feed import DeviceSampled, GpuSampled
from hocket.worker.reserving import devices_of, reserved_of
from hocket.worker.resources import Resources
from hocket.worker.shell.gpu_vitals import GpuVitals
from hocket.worker.units import UNITS, needs_of


class Holder:
    """As much of a task as matters here."""

    def __init__(self, key, resources, needs):
        self.key = key
        resources.reserve(needs)
        self.devices = resources.take_devices(needs)


@given(st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0]), max_size=8))
def test_what_is_told_adds_up(amounts):
    resources = Resources({"GPU": 3, "licence": 10}, None, 1000)
    holders = []
    for number, amount in enumerate(amounts):
        needs = needs_of({"GPU": amount, "licence": 0.5})
        if resources.fit(needs):
            holders.append(Holder(f"task-{number}", resources, needs))
    told = devices_of(resources, holders, {"GPU": ("a", "b")})
    assert [(one.resource, one.index, one.device) for one in told] == [
        ("GPU", 0, "a"),
        ("GPU", 1, "b"),
        ("GPU", 2, ""),
    ]
    reserved = reserved_of(resources)
    assert sum(one.reserved for one in told) == reserved["GPU"]
    assert (reserved["licence"], reserved["memory"]) == (0.5 * len(holders), 0)
    for holder in holders:
        indices = {one.index for one in told if holder.key in one.keys}
        assert indices == set(holder.devices["GPU"])
    assert all(bool(one.keys) == (one.reserved > 0) for one in told)


def test_a_worker_without_devices_tells_of_none():
    resources = Resources({"licence": 1})
    assert devices_of(resources, [], {}) == []
    assert reserved_of(resources) == {"licence": 0.0}


def test_the_keys_of_one_device_are_bounded():
    resources = Resources({"GPU": 1})
    needs = (("GPU", UNITS // 50),)
    holders = [Holder(f"task-{number}", resources, needs) for number in range(50)]
    (told,) = devices_of(resources, holders, {})
    assert told == DeviceSampled("GPU", 0, "", 1.0, [f"task-{number}" for number in range(16)])


class NoLibraryError(Exception):
    pass


@pytest.fixture
def library(monkeypatch):
    """Stand in for NVML, with one device and a MIG instance of another."""
    fake = types.ModuleType("pynvml")
    calls = fake.calls = []

    def find(name):
        if name not in {"GPU-1", "MIG-2"}:
            raise NoLibraryError
        return name

    def use(handle):
        if handle == "MIG-2":
            raise NoLibraryError
        return types.SimpleNamespace(gpu=40, memory=7)

    fake.NVMLError = NoLibraryError
    fake.nvmlInit = lambda: calls.append("init")
    fake.nvmlShutdown = lambda: calls.append("shutdown")
    fake.nvmlDeviceGetHandleByUUID = find
    fake.nvmlDeviceGetHandleByIndex = lambda index: find(f"GPU-{index}")
    fake.nvmlDeviceGetName = lambda handle: b"A100"
    fake.nvmlDeviceGetUtilizationRates = use
    fake.nvmlDeviceGetMemoryInfo = lambda handle: types.SimpleNamespace(used=3, total=8)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_gpus_are_looked_at_by_name(library):
    vitals = GpuVitals(["GPU-1", "MIG-2", "1", "GPU-9"])
    assert vitals.look() == [
        GpuSampled("GPU-1", "A100", 0.4, 3, 8),
        GpuSampled("MIG-2", "A100", -1.0, 3, 8),
        GpuSampled("1", "A100", 0.4, 3, 8),
    ]
    vitals.close()
    vitals.close()
    assert vitals.look() == []
    assert library.calls == ["init", "shutdown"]


def test_without_gpus_or_library_nothing_is_asked(library, monkeypatch):
    assert GpuVitals([]).look() == []
    assert library.calls == []

    def fail():
        raise NoLibraryError

    library.nvmlInit = fail
    assert GpuVitals(["GPU-1"]).look() == []
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert GpuVitals(["GPU-1"]).look() == []
