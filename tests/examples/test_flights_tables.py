"""The flights example's tables: narrow, without colour where none is wanted, and complete."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("rich", reason="the flights example needs rich")

from rich.console import Console


@pytest.fixture(scope="module")
def answers(flights):
    return flights.reference.compute(flights.data.folder())


def drawn(flights, answers, encoding="utf-8", **options):
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding)
    console = Console(file=file, width=flights.tables.WIDTH_MAX, highlight=False, **options)
    for table in flights.tables.draw(answers):
        console.print(table)
    file.flush()
    return buffer.getvalue().decode(encoding)


def test_nothing_is_cut_or_folded_or_wider_than_a_terminal(flights, answers):
    text = drawn(flights, answers)
    assert max(map(len, text.splitlines())) < 80
    assert "…" not in text
    # A title, heads, and a rule for each; a caption for three; and no row folded into two.
    rows = sum(len(answer) for answer in answers.values())
    assert len(text.splitlines()) == 4 * 3 + 3 + rows


def test_numbers_and_names_are_shown(flights, answers):
    lines = drawn(flights, answers).splitlines()
    assert any(line.startswith("JetBlue Airways  54,635   13   9  14") for line in lines)
    assert any("10:00  IAD Washington Dulles Intl" in line for line in lines)
    assert any(line.startswith("N328AA   1986  Boeing  767-223") for line in lines)
    # Hawaiian flew early on average; SkyWest did not fly in most months; nothing is "-0".
    (skywest,) = (line for line in lines if line.startswith("SkyWest"))
    assert skywest.split()[3:] == ["67", "-", "-", "-", "-", "61", "-", "64", "-5", "-", "1", "-"]
    assert not any(word == "-0" for line in lines for word in line.split())


def test_airport_without_a_name_goes_by_its_code(flights, answers):
    (line,) = (line for line in drawn(flights, answers).splitlines() if " 5:00 " in line)
    assert line.split() == ["5:00", "BQN", "288", "1.3", "-4.8"]


def test_no_escape_codes_off_a_terminal(flights, answers):
    assert "\x1b" not in drawn(flights, answers)


def test_no_colours_where_they_are_not_wanted(flights, answers):
    coloured = drawn(flights, answers, force_terminal=True, color_system="standard")
    plain = drawn(flights, answers, force_terminal=True, color_system="standard", no_color=True)
    assert "\x1b[33m" in coloured  # yellow
    assert "\x1b[33m" not in plain


def test_tables_can_be_drawn_in_ascii(flights, answers):
    assert "United" in drawn(flights, answers, encoding="ascii")
