"""Rings: against a plain list, whatever is appended and read when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hocket.diagnostics.model import ColumnRing
from hocket.diagnostics.model.tables import TABLES, make_rings


@given(st.integers(1, 20), st.integers(0, 100), st.integers(0, 130), st.integers(1, 30))
def test_a_ring_is_the_end_of_a_list(rows_max, count, cursor, limit):
    ring = ColumnRing({"number": "integer", "half": "float", "name": "text"}, rows_max)
    for number in range(count):
        ring.append(number, number / 2, str(number))
    assert ring.end == count
    assert len(ring) == min(count, rows_max)

    rows = ring.read(cursor, limit)

    wanted = 0 if cursor > count else cursor
    expected = list(range(count))[max(wanted, count - rows_max, count - limit) :]
    assert list(rows.columns["number"]) == expected
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
