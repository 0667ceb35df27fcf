"""Frames and series of pandas: their labels come back as they were, and are made once."""

from __future__ import annotations

import pickle
from typing import Any, ClassVar

import pytest

from hocket.protocol.serialize import dump_value, labels, load_value, pack, unpack

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")

ROWS = 5
INDEXES = {
    "integers": pd.Index([3, 1, 2, 5, 4], name="i"),
    "small": pd.Index(np.arange(ROWS, dtype="uint8")),
    "floats": pd.Index([0.5, np.nan, 1.0, 2.0, -0.0], name=("a", 1)),
    "texts": pd.Index(["b", "a", "", "ä", "b"], name="t"),
    "objects": pd.Index(["b", 1, None, (2, 3), 0.5], dtype=object),
    "old texts": pd.Index(["b", "a", "c", "d", "e"], dtype=object, name="t"),
    "missing": pd.Index(["b", None, "c", "d", "e"]),
    "nullable": pd.Index(pd.array([1, None, 3, 4, 5], "Int64")),
    "booleans": pd.Index([True, False, True, True, False]),
    "range": pd.RangeIndex(2, 12, 2, name="r"),
    "times": pd.date_range("2026-01-01", periods=ROWS, freq="h", tz="Europe/Berlin"),
    "categories": pd.CategoricalIndex(list("abcab")),
    "levels": pd.MultiIndex.from_product([["x"], range(ROWS)], names=["u", "v"]),
}


def moved(value: Any) -> Any:
    """Return a value as it comes out at the other side."""
    there = unpack([bytearray(buffer) for buffer in pack(value)])
    inline = load_value(dump_value(value))
    assert type(there) is type(inline) is type(value)
    assert there.index.equals(inline.index)
    return there


@pytest.mark.parametrize("name", INDEXES)
def test_labels_of_all_kinds_come_back(name: str) -> None:
    index = INDEXES[name]
    frame = pd.DataFrame({"x": range(ROWS), "y": 0.5}, index=index)
    for _ in range(2):  # The second time some are known.
        found = moved(frame)
        pd.testing.assert_frame_equal(found, frame, check_freq=True)
        assert found.index.dtype == index.dtype
        assert found.index.names == index.names
        assert found.loc[index[1]].equals(frame.loc[index[1]])
        pd.testing.assert_series_equal(moved(frame["y"]), frame["y"])
        columns = moved(pd.DataFrame([range(ROWS)], columns=index))
        pd.testing.assert_index_equal(columns.columns, index, exact=True)


def test_an_index_of_numbers_can_be_written_to_as_before() -> None:
    frame = pd.DataFrame({"x": range(2000)}, index=pd.Index(np.arange(2000) * 3))
    (before,) = pickle.loads(pickle.dumps(frame)).index.__reduce__()[1][1:]
    (found,) = moved(frame).index.__reduce__()[1][1:]
    assert found["data"].flags.writeable == before["data"].flags.writeable


def test_texts_that_were_met_may_still_be_named_anew() -> None:
    first = moved(pd.DataFrame({"a": [1], "b": [2]}))
    first.columns.name = "other"
    first.index.name = "other"
    second = moved(pd.DataFrame({"a": [1], "b": [2]}))
    assert second.columns.name is None
    assert second.index.name is None
    named = pd.DataFrame({"a": [1], "b": [2]})
    moved(named)
    named.columns.name = "later"
    assert moved(named).columns.name == "later"


def test_equal_texts_are_made_once() -> None:
    frame = pd.DataFrame({"a": range(10), "b": 1})
    found = [moved(frame.iloc[row : row + 2]) for row in range(0, 10, 2)]
    assert len({id(one.columns.array) for one in found}) == 1
    assert len({id(one) for one in found}) == 5


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_KNOWN_MAX", 3)
    monkeypatch.setattr(labels, "_pickled", {})
    monkeypatch.setattr(labels, "_unpickled", {})
    for number in range(20):
        frame = pd.DataFrame({f"a{number}": [1], "b": [2]})
        assert moved(frame).columns.tolist() == [f"a{number}", "b"]
        assert len(labels._pickled) <= 3
        assert len(labels._unpickled) <= 3
    many = pd.DataFrame([range(1500)], columns=[f"c{number}" for number in range(1500)])
    long = pd.DataFrame({"x" * 40_000: [1]})
    known = len(labels._unpickled)
    assert moved(many).columns.equals(many.columns)
    assert moved(long).columns.equals(long.columns)
    assert len(labels._unpickled) == known


class Own(pd.DataFrame):
    """A frame of the user's."""

    _metadata: ClassVar = ["note"]

    @property
    def _constructor(self) -> Any:
        return Own


def test_frames_of_the_users_own_are_left_alone() -> None:
    frame = Own({"a": [1, 2]})
    frame.note = "kept"
    found = moved(frame)
    assert found.note == "kept"
    assert found.equals(frame)


def test_where_pandas_has_no_short_cut_its_own_pickles_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "_reducers", {})
    monkeypatch.setattr(labels, "loaded_module", lambda _name: None)
    frame = pd.DataFrame({"a": [1, 2]}, index=[3, 4])
    assert b"hocket" not in dump_value(frame)
    assert load_value(dump_value(frame)).equals(frame)
    assert labels._index_by_pandas(pd.Index)(np.arange(3), "n").equals(pd.Index(range(3)))
