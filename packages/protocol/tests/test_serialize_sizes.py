"""Sizes: exact where memory is flat, near elsewhere, and never an error."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict, UserList, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.serialize import flat_nbytes_of, nbytes_of


@dataclass
class Box:
    content: Any


class Slotted:
    __slots__ = ("content", "never_set")

    def __init__(self, content: Any) -> None:
        self.content = content


class Pair(NamedTuple):
    a: bytes
    b: bytes


class Hostile:
    @property
    def nbytes(self) -> int:
        raise ZeroDivisionError

    def __sizeof__(self) -> int:
        raise ZeroDivisionError


class HostileList(list):  # type: ignore[type-arg]
    def __len__(self) -> int:
        raise ZeroDivisionError


@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
)
def test_scalars_are_exact(value: object) -> None:
    assert nbytes_of(value) == sys.getsizeof(value)


@given(
    value=st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers())
        ),
    )
)
def test_anything_has_a_size(value: object) -> None:
    assert nbytes_of(value) >= sys.getsizeof(value)


def test_arrays_are_exact() -> None:
    array = np.zeros((100, 50))
    assert nbytes_of(array) == 40_000
    assert nbytes_of(array[:10]) == 4_000
    assert nbytes_of(np.broadcast_to(np.zeros(10), (1000, 10))) == 80
    assert nbytes_of(memoryview(array)) == 40_000
    assert nbytes_of(np.array([])) == 0


def test_object_arrays_count_their_objects() -> None:
    array = np.array(["x" * 1000] * 100, dtype=object)
    assert 100_000 < nbytes_of(array) < 120_000
    assert nbytes_of(array[::2]) < 60_000


def test_pandas() -> None:
    frame = pd.DataFrame({"x": np.zeros(1000), "y": np.zeros(1000, dtype="i4")})
    assert 12_000 <= nbytes_of(frame) < 12_500
    assert 8_000 <= nbytes_of(frame["x"]) < 8_500
    assert nbytes_of(frame.index) < 500
    frame["z"] = pd.Series(["y" * 1000] * 1000, dtype=object)
    assert 1_000_000 < nbytes_of(frame) < 1_200_000
    assert nbytes_of(pd.DataFrame()) >= 0


def test_pandas_costs_little() -> None:
    pandas = pytest.importorskip("pandas")
    rows = pandas.MultiIndex.from_product([range(100), ["a", "b"]])
    frame = pandas.DataFrame({"x": range(200), "y": 0.5, "z": pandas.Categorical([1, 2] * 100)})
    flat = frame.memory_usage(index=False).sum()
    assert nbytes_of(frame) == flat + frame.index.nbytes
    assert 200 * 2 <= nbytes_of(rows) <= rows.memory_usage(deep=True)
    indexed = frame.set_index(rows)
    assert nbytes_of(indexed) == flat + nbytes_of(indexed.index)
    assert flat_nbytes_of(rows) == nbytes_of(rows)


def test_a_container_that_counts_its_elements_is_not_asked() -> None:
    class Counted(dict):
        def __sizeof__(self) -> int:
            raise AssertionError

    assert nbytes_of(Counted(a=b"x" * 1000)) > 1000


def test_arrow() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"x": np.zeros(1000)})
    assert nbytes_of(table) == 8_000
    assert nbytes_of(table.column("x")) == 8_000
    assert nbytes_of(table.column("x").chunk(0)) == 8_000
    assert nbytes_of(pa.py_buffer(b"x" * 100)) == 100


@pytest.mark.parametrize(
    "container",
    [
        [b"x" * 1000] * 1000,
        (b"x" * 1000,) * 1000,
        dict.fromkeys(range(1000), b"x" * 1000),
        [[b"x" * 1000] * 10] * 100,
        OrderedDict((number, b"x" * 1000) for number in range(1000)),
        [Box(b"x" * 1000)] * 1000,
        [Slotted(b"x" * 1000)] * 1000,
        Pair(b"x" * 500_000, b"x" * 500_000),
        UserList([b"x" * 1000] * 1000),
    ],
    ids=lambda container: type(container).__name__,
)
def test_containers_are_sampled(container: object) -> None:
    assert 1_000_000 < nbytes_of(container) < 1_300_000


def test_lists_whose_ends_differ() -> None:
    assert nbytes_of([b""] * 900 + [b"x" * 100_000] * 100) > 5_000_000


def test_the_effort_is_bounded() -> None:
    looked: list[int] = []

    class Counted:
        def __sizeof__(self) -> int:
            looked.append(1)
            return 16

    deep: Any = [Counted() for _ in range(100)]
    for _ in range(6):
        deep = [deep] * 100
    assert nbytes_of(deep) > 0
    assert len(looked) <= 500
    boxes: Any = Counted()
    for _ in range(100):
        boxes = Box([boxes, boxes])
    assert nbytes_of(boxes) > 0


def test_flat_sizes_are_of_flat_memory_only() -> None:
    assert flat_nbytes_of(np.zeros(100)) == 800
    assert flat_nbytes_of(bytearray(1000)) >= 1000
    assert flat_nbytes_of(pd.Series(np.zeros(100))) >= 800
    for value in ([np.zeros(100)], Box(b"x" * 1000), 5, "text", b"bytes", None, Hostile()):
        assert flat_nbytes_of(value) == 0


def test_nothing_raises() -> None:
    ring: list[Any] = []
    ring.append(ring)
    for value in (ring, Hostile(), HostileList([1]), deque([1]), type, len, object(), Hostile):
        assert nbytes_of(value) > 0


def test_nothing_is_imported() -> None:
    code = (
        "import sys; from hocket.protocol.serialize import *; nbytes_of([{'a': (1, b'')}, dir()]);"
        "dump_value([1]); ArgumentPickler().dumps(([1],), {});"
        "bad = {'numpy', 'pandas', 'cloudpickle', 'tblib', 'asyncio', 'socket', 'threading',"
        " 'subprocess', 'random'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
