"""Frames of pandas, of every dtype, written and read again: by us and by pyarrow."""

import io
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from parquet_round_trips import read, read_by_pyarrow, written

_UNITS = ("s", "ms", "us", "ns")


def _with_gaps(values: Sequence, gaps: Sequence[bool], dtype) -> pd.Series:
    series = pd.Series(list(values), dtype=dtype)
    mask = np.array([gaps[at % len(gaps)] for at in range(len(series))], bool)
    return series.mask(mask) if mask.any() else series


_GAPS = st.lists(st.booleans(), min_size=1, max_size=9)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)


@st.composite
def _numbers(draw, count: int) -> pd.Series:
    dtype = np.dtype(
        draw(
            st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?"])
        )
    )
    raw = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    values = np.frombuffer(raw, dtype if dtype.kind != "b" else "u1")
    if dtype.kind == "b":
        values = values % 2 == 0
    return pd.Series(values.copy())


@st.composite
def _masked(draw, count: int) -> pd.Series:
    values = draw(_numbers(count))
    if values.dtype == np.float16:
        values = values.astype("f4")
    # (NaN that is no missing value is shown elsewhere.)
    name = "boolean" if values.dtype == bool else str(values.dtype)
    name = name.replace("uint", "UInt").replace("float", "Float")
    name = name.replace("int", "Int") if name.startswith("int") else name
    return _with_gaps(values.fillna(0).tolist(), draw(_GAPS), name)


@st.composite
def _times(draw, count: int) -> pd.Series:
    unit = draw(st.sampled_from(_UNITS))
    limit = {"s": 1 << 40, "ms": 1 << 50, "us": 1 << 60, "ns": (1 << 63) - 2}[unit]
    counts = st.integers(-limit, limit) | st.just(-(1 << 63))
    values = np.array(draw(st.lists(counts, min_size=count, max_size=count)), "i8")
    return pd.Series(values.view(f"{draw(st.sampled_from('Mm'))}8[{unit}]"))


@st.composite
def _zoned(draw, count: int) -> pd.Series:
    unit = draw(st.sampled_from(_UNITS))
    zone = draw(st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "+05:30"]))
    counts = st.integers(-(1 << 31), 1 << 31) | st.just(-(1 << 63))
    values = np.array(draw(st.lists(counts, min_size=count, max_size=count)), "i8")
    return pd.Series(pd.array(values, dtype=f"datetime64[{unit}, {zone}]"))


@st.composite
def _texts(draw, count: int) -> pd.Series:
    values = draw(st.lists(_TEXT, min_size=count, max_size=count))
    dtype = draw(st.sampled_from(["str", "string", "string[python]"]))
    return _with_gaps(values, draw(_GAPS), dtype)


@st.composite
def _categories(draw, count: int) -> pd.Series:
    categories = draw(
        st.lists(_TEXT, min_size=1, max_size=4, unique=True)
        | st.lists(st.integers(-9, 9), min_size=1, max_size=4, unique=True)
        | st.lists(
            st.dates(date(1900, 1, 1)).map(pd.Timestamp), min_size=1, max_size=4, unique=True
        )
    )
    codes = draw(st.lists(st.integers(-1, len(categories) - 1), min_size=count, max_size=count))
    ordered = draw(st.booleans())
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(categories), ordered=ordered))


@st.composite
def _arrow(draw, count: int) -> pd.Series:
    kind, values = draw(
        st.sampled_from(
            [
                (pa.int16(), st.integers(-(1 << 15), (1 << 15) - 1)),
                (pa.large_string(), _TEXT),
                (pa.bool_(), st.booleans()),
                (pa.decimal128(9, 3), st.decimals(-999999, 999999, places=3)),
                (pa.list_(pa.int32()), st.lists(st.integers(0, 9), max_size=3)),
                (pa.timestamp("us", "UTC"), st.none()),
            ]
        )
    )
    items = draw(st.lists(st.none() | values, min_size=count, max_size=count))
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(items, kind)))


_KINDS = (_numbers, _masked, _times, _zoned, _texts, _categories, _arrow)


@st.composite
def frames(draw) -> pd.DataFrame:
    count = draw(st.integers(0, 7))
    chosen = draw(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=4))
    return pd.DataFrame({f"c{at}": draw(kind(count)) for at, kind in enumerate(chosen)})


def _as_stored(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as files give it back.

    They know no timestamps of whole seconds.
    """
    result = frame.copy()
    for name in frame:
        dtype = frame[name].dtype
        if dtype == "M8[s]":
            result[name] = frame[name].astype("M8[ms]")
        elif isinstance(dtype, pd.DatetimeTZDtype) and dtype.unit == "s":
            result[name] = frame[name].dt.as_unit("ms")
        elif dtype == "string[python]":
            result[name] = frame[name].astype("string")
        elif isinstance(dtype, pd.CategoricalDtype):
            known = frame[name]
            if known.empty:
                # Where there are no rows there is no dictionary.
                known = known.cat.remove_unused_categories()
            if dtype.categories.dtype == "M8[s]":
                known = known.cat.rename_categories(known.cat.categories.as_unit("ms"))
            result[name] = known
    return result


@settings(max_examples=80)
@given(frames())
def test_every_dtype_comes_back(frame):
    file = written(frame)
    pd.testing.assert_frame_equal(read(file), _as_stored(frame))


@settings(max_examples=80)
@given(frames())
def test_pyarrow_reads_the_same(frame):
    # (pandas cannot read the names of its own dtypes of lists.)
    frame = frame.drop(columns=[name for name in frame if "list" in str(frame[name].dtype)])
    theirs = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(_as_stored(frame)), theirs)
    pd.testing.assert_frame_equal(read_by_pyarrow(written(frame)), read_by_pyarrow(theirs))
