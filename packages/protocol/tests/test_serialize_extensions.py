"""Packages beside the engine: how they take their objects apart is asked once they are imported."""

from __future__ import annotations

import pickle
import sys
from importlib import metadata
from types import ModuleType
from typing import Any

import pytest

from hocket.protocol.serialize import (
    ArgumentPickler,
    collecting,
    dump_function,
    dump_value,
    extensions,
    load_arguments,
    load_function,
    load_value,
    note_reference,
    pack,
    unpack,
)


class Handle:
    """Says by itself that all of it travels."""

    def __init__(self, name: str, footer: bytes = b"") -> None:
        self.name = name
        self.footer = footer


def by_name(handle: Handle) -> tuple[Any, ...]:
    return Handle, (handle.name,)


class Entries:
    """Entry points as a process finds them."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.asked: list[str] = []

    def __call__(self, *, group: str, name: str) -> list[Any]:
        assert group == "hocket.serializers"
        self.asked.append(name)
        return [self] if name == "hocket.guest" else []

    def load(self) -> Any:
        return self.function


@pytest.fixture
def offered(monkeypatch):
    """Return what lets a package offer reducers, and is imported or not."""
    monkeypatch.setattr(extensions, "_reducers", {})
    monkeypatch.setattr(extensions, "_waiting", ["hocket.guest"])

    def offer(function: Any, *, imported: bool = True) -> Entries:
        entries = Entries(function)
        monkeypatch.setattr(metadata, "entry_points", entries)
        if imported:
            monkeypatch.setitem(sys.modules, "hocket.guest", ModuleType("hocket.guest"))
        return entries

    return offer


HANDLE = Handle("a", bytes(1000))


def roundtrips():
    value = [HANDLE, {"deep": HANDLE}]
    yield load_value(dump_value(value))
    yield unpack(pack(value))
    yield load_arguments(ArgumentPickler().dumps((HANDLE,), {"deep": {"deep": HANDLE}}))[0] + (
        {"deep": HANDLE},
    )
    handle = HANDLE
    yield load_function(dump_function(lambda: [handle, {"deep": handle}]).blob)()
    # Pickle refuses the function beside it.
    yield load_value(dump_value([HANDLE, lambda: 0]))


def test_objects_of_a_package_travel_as_it_says(offered):
    offered(lambda: {Handle: by_name})
    for first, *_ in roundtrips():
        assert (first.name, first.footer) == ("a", b"")
    # Pickle by itself knows nothing of it.
    assert pickle.loads(pickle.dumps(HANDLE)).footer == bytes(1000)


def test_a_package_that_is_not_imported_is_not_asked(offered, monkeypatch):
    entries = offered(lambda: {Handle: by_name}, imported=False)
    assert load_value(dump_value(HANDLE)).footer == bytes(1000)
    assert entries.asked == []
    monkeypatch.setitem(sys.modules, "hocket.guest", ModuleType("hocket.guest"))
    for _ in range(3):
        assert load_value(dump_value(HANDLE)).footer == b""
    assert entries.asked == ["hocket.guest"]


def test_buffers_stay_out_of_band_and_references_are_noted(offered):
    class Reference:
        def __reduce__(self):
            note_reference("x")
            return str, ("x",)

    def with_reference(handle: Handle) -> tuple[Any, ...]:
        return Handle, (handle.name, Reference() if collecting() else pickle.PickleBuffer(large))

    large = bytearray(100_000)
    offered(lambda: {Handle: with_reference})
    first, second = pack(HANDLE)
    assert len(first) < 200
    assert memoryview(second).obj is large
    pickler = ArgumentPickler()
    pickler.dumps((HANDLE, HANDLE), {})
    assert pickler.references == ["x"]


def test_extra_reducers_go_before_those_of_packages(offered):
    offered(lambda: {Handle: by_name, range: lambda one: (list, ([one.start, one.stop],))})
    pickler = ArgumentPickler({Handle: lambda _: (str, ("extra",))})
    args, _ = load_arguments(pickler.dumps((HANDLE, range(3)), {}))
    assert args == ("extra", [0, 3])
    # As well where only cloudpickle will do.
    args, _ = load_arguments(pickler.dumps((HANDLE, range(3), lambda: 0), {}))
    assert args[:2] == ("extra", [0, 3])


def test_a_package_that_fails_to_say_is_told_of_and_pickle_does_it(offered):
    def broken():
        raise ImportError("no module named thrift")

    offered(broken)
    with pytest.warns(
        RuntimeWarning, match=r"hocket\.guest cannot be used.*no module named thrift"
    ):
        data = dump_value(HANDLE)
    assert load_value(data).footer == bytes(1000)
    # Once is enough.
    assert load_value(dump_value(HANDLE)).footer == bytes(1000)


def test_the_parquet_library_is_the_one_that_may_ask():
    assert {"parquet"} == extensions.GUESTS
