"""Devices: whole ones and shared ones."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from hocket.worker.devices import Devices
from hocket.worker.units import UNITS


def units(amount):
    return round(amount * UNITS)


def test_whole_devices_come_in_their_order():
    devices = Devices([3, 1, 2])
    assert devices.reserve(units(2)) == (3, 1)
    assert not devices.fit(units(2))
    assert devices.reserve(units(1)) == (2,)
    assert not devices.fit(1)
    devices.release(units(2), (3, 1))
    assert devices.reserve(units(1)) == (3,)


def test_parts_go_where_they_fit_tightest():
    devices = Devices([0, 1])
    assert devices.reserve(units(0.3)) == (0,)
    assert devices.reserve(units(0.8)) == (1,)
    # Both have room.
    assert devices.reserve(units(0.2)) == (1,)
    assert devices.reserve(units(0.2)) == (0,)
    assert devices.free == {0: units(0.5), 1: 0}


def test_an_amount_may_be_whole_devices_and_a_part_of_one():
    devices = Devices([0, 1, 2])
    assert devices.reserve(units(1.5)) == (0, 1)
    assert devices.fit(units(1.5))
    assert not devices.fit(units(1.6))
    assert devices.reserve(units(1.5)) == (2, 1)
    assert not devices.fit(1)
    devices.release(units(1.5), (0, 1))
    devices.release(units(1.5), (2, 1))
    assert set(devices.free.values()) == {UNITS}


@given(
    st.integers(1, 4),
    st.lists(
        st.one_of(
            st.sampled_from([1, 2, 0.5, 0.25, 1.5, 1 / 3, 3]).map(units),
            st.integers(-10, -1),
        ),
        max_size=40,
    ),
)
def test_no_device_is_given_twice(count, steps):
    devices = Devices(range(count))
    reserved = []
    for step in steps:
        if step < 0:
            if reserved:
                devices.release(*reserved.pop(step % len(reserved)))
        elif devices.fit(step):
            taken = devices.reserve(step)
            assert len(set(taken)) == len(taken) == -(-step // UNITS)
            reserved.append((step, taken))
        used = dict.fromkeys(range(count), 0)
        for amount, taken in reserved:
            whole = amount // UNITS
            for place, index in enumerate(taken):
                used[index] += UNITS if place < whole else amount % UNITS
        assert {index: UNITS - free for index, free in devices.free.items()} == used
        assert all(amount <= UNITS for amount in used.values())
