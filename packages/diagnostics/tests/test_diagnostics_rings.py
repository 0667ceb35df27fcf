"""Rings: against a plain list, whatever is appended and read when."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from hocket.diagnostics.model import ColumnRing, EventRing
from hocket.diagnostics.model.tables import TABLES, make_rings

COLUMNS = {"number": "integer", "half": "float", "name": "text"}


@given(
    st.booleans(),
    st.integers(1, 20),
    st.integers(0, 100),
    st.integers(0, 130),
    st.integers(1, 30),
)
def test_a_ring_is_the_end_of_a_list(keeps_events, rows_max, count, cursor, limit):
    if keeps_events:
        ring = EventRing(COLUMNS, rows_max, {"name": lambda event: str(event.number)})
    else:
        ring = ColumnRing(COLUMNS, rows_max)
    for number in range(count):
        row = (number, number / 2, str(number))
        ring.append(*([SimpleNamespace(number=number, half=number / 2)] if keeps_events else row))
    assert ring.end == count
    assert ring.first("number") == (max(count - rows_max, 0) if count else None)
    assert ring.last("name") == (str(count - 1) if count else None)
    assert len(ring) == min(count, rows_max)

    rows = ring.read(cursor, limit)

    wanted = 0 if cursor > count else cursor
    expected = list(range(count))[max(wanted, count - rows_max, count - limit) :]
    assert list(rows.columns["number"]) == expected
    assert list(rows.columns["half"]) == [number / 2 for number in expected]
    assert list(rows.columns["name"]) == [str(number) for number in expected]
    assert rows.end == count
    assert len(rows) == len(expected)
    assert rows.lost == count - len(expected) - wanted


def test_what_was_read_is_the_readers_own():
    ring = ColumnRing({"number": "integer"}, 10)
    ring.append(1)
    rows = ring.read()
    ring.append(2)
    assert list(rows.columns["number"]) == [1]
    assert ring.last("number") == 2


def test_every_table_has_words_and_units():
    rings = make_rings()
    assert rings.keys() == TABLES.keys()
    for name, table in TABLES.items():
        assert table.doc, name
        assert rings[name].kinds == table.columns
