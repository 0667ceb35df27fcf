"""Units: every amount survives its text; what is no amount is refused by name."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.core.units import (
    GIB,
    KIB,
    MIB,
    NBYTES_MAX,
    SECONDS_MAX,
    TIB,
    format_bytes,
    format_seconds,
    parse_bytes,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("0", 0),
        ("17", 17),
        ("17 B", 17),
        ("2 GiB", 2 * GIB),
        ("2GiB", 2 * GIB),
        ("  2\tgib ", 2 * GIB),
        ("1.5 MiB", 3 * MIB // 2),
        ("64KiB", 64 * KIB),
        ("1 TiB", TIB),
        ("1 PiB", 1024 * TIB),
        ("64 kB", 64_000),
        ("5 MB", 5_000_000),
        ("5gb", 5_000_000_000),
        ("1 TB", 10**12),
        ("1 PB", 10**15),
        ("1e3", 1000),
        ("1.5e3 KB", 1_500_000),
        ("0.1 KiB", 102),
        ("1e-5", 0),
        ("1e-300", 0),
        (12, 12),
        (12.0, 12),
        (NBYTES_MAX, NBYTES_MAX),
    ],
)
def test_bytes_are_read(text, nbytes):
    parsed = parse_bytes(text)
    assert parsed == nbytes
    assert type(parsed) is int


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "GiB",
        "-1",
        "-1 KiB",
        "+1",
        "1 KiB 2",
        "1 Kib/s",
        "1 K",
        "1k",
        "1,5 MB",
        "1_000",
        "0x10",
        "nan",
        "inf",
        "١٢",  # digits, but not ours
        "9" * 31,
        "1e99 PiB",
        "1e999",
        "1e9999",
        "1" + " " * 200,
        -1,
        1.5,
        math.nan,
        math.inf,
        -math.inf,
        NBYTES_MAX + 1,
        10**400,
        True,
        None,
        b"12",
        [12],
    ],
)
def test_what_is_no_amount_of_bytes_is_refused(value):
    with pytest.raises(SettingsError) as caught:
        parse_bytes(value, name="worker.memory_limit", source="somewhere")
    assert caught.value.name == "worker.memory_limit"
    assert caught.value.value is value
    assert "somewhere" in str(caught.value)
    assert "KiB" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        ("500ms", 0.5),
        ("500 ms", 0.5),
        ("1.5", 1.5),
        ("2 s", 2.0),
        ("3 us", 3e-6),
        ("3 µs", 3e-6),
        ("7ns", 7e-9),
        ("2 min", 120.0),
        ("1.5 h", 5400.0),
        ("1D", 86400.0),
        (0, 0.0),
        (3, 3.0),
        (0.25, 0.25),
        (SECONDS_MAX, float(SECONDS_MAX)),
    ],
)
def test_seconds_are_read(text, time_s):
    parsed = parse_seconds(text)
    assert parsed == time_s
    assert type(parsed) is float


@pytest.mark.parametrize(
    "value",
    [
        *["", "s", "5 m", "5 minutes", "-1s", "1:30", "nan", "inf", "1e99 d", -1, -0.001, math.nan],
        *[math.inf, -math.inf, SECONDS_MAX * 2, 10**400, False, None, b"1"],
    ],
)
def test_what_is_no_time_is_refused(value):
    with pytest.raises(SettingsError, match="'patience_s' from somewhere") as caught:
        parse_seconds(value, name="patience_s", source="somewhere")
    assert "ms" in caught.value.allowed


@pytest.mark.parametrize("value", ["inf", " INF ", math.inf])
def test_infinity_is_read_where_it_is_allowed(value):
    assert parse_seconds(value, infinite=True) == math.inf


@pytest.mark.parametrize("value", ["-inf", -math.inf, math.nan, "infinity"])
def test_other_infinities_are_refused_even_there(value):
    with pytest.raises(SettingsError, match="or 'inf'"):
        parse_seconds(value, infinite=True)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (1000, "1000 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (64 * KIB, "64 KiB"),
        (256 * MIB, "256 MiB"),
        (10 * GIB, "10 GiB"),
        (100 * TIB, "100 TiB"),
        (5000 * TIB, "4.88 PiB"),
    ],
)
def test_bytes_are_shown(nbytes, text):
    assert format_bytes(nbytes) == text


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0, "0 s"),
        (1e-9, "1 ns"),
        (4e-5, "40 us"),
        (0.001, "1 ms"),
        (0.1, "100 ms"),
        (1, "1 s"),
        (59.5, "59.5 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (86400 * 3, "3 d"),
        (math.inf, "inf"),
    ],
)
def test_seconds_are_shown(time_s, text):
    assert format_seconds(time_s) == text


@given(st.integers(0, NBYTES_MAX))
def test_bytes_as_shown_are_read_back_nearly(nbytes):
    assert parse_bytes(format_bytes(nbytes)) == pytest.approx(nbytes, rel=0.005, abs=0)


@given(
    st.integers(0, 1023), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB"]), st.sampled_from(" \t")
)
def test_whole_units_are_read_back_exactly(count, unit, space):
    text = f"{count}{space}{unit}"
    assert parse_bytes(format_bytes(parse_bytes(text))) == parse_bytes(text)


@given(st.floats(1e-8, SECONDS_MAX))
def test_seconds_as_shown_are_read_back_nearly(time_s):
    assert parse_seconds(format_seconds(time_s)) == pytest.approx(time_s, rel=0.006)


@given(st.floats(0, SECONDS_MAX))
def test_a_number_of_seconds_as_text_is_that_number(time_s):
    assert parse_seconds(f"{time_s:.20f}") == pytest.approx(time_s, abs=1e-15)


@given(st.text(max_size=120) | st.integers() | st.floats() | st.binary() | st.none())
def test_any_value_is_an_amount_or_a_settings_error(value):
    for parse, most in ((parse_bytes, NBYTES_MAX), (parse_seconds, SECONDS_MAX)):
        try:
            amount = parse(value)
        except SettingsError:
            continue
        assert 0 <= amount <= most
