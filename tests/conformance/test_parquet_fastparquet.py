"""Files that fastparquet wrote, and what it says of them, beside what we say.

Skipped where fastparquet is not installed; it is retired, and nothing here needs it otherwise.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet import api
from hocket.parquet.dropin import writer

fastparquet = pytest.importorskip("fastparquet")
pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = 60


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "i": np.arange(ROWS),
            "i1": np.arange(ROWS).astype("i1"),
            "u2": np.arange(ROWS).astype("u2"),
            "f": rng.normal(size=ROWS),
            "f4": rng.normal(size=ROWS).astype("f4"),
            "b": rng.integers(0, 2, ROWS).astype(bool),
            "s": [f"text {n % 7}" if n % 5 else None for n in range(ROWS)],
            "o": [b"\0bytes" * (n % 3) for n in range(ROWS)],
            "c": pd.Categorical([f"kind {n % 4}" for n in range(ROWS)]),
            "t": pd.date_range("2026-01-01", periods=ROWS, freq="7h", unit="us"),
            "z": pd.date_range("2026-01-01", periods=ROWS, freq="7h", tz="Asia/Tokyo", unit="us"),
            "d": pd.to_timedelta(np.arange(ROWS) * 10_000_000_000, unit="us").as_unit("us"),
            "n": pd.array([n if n % 3 else None for n in range(ROWS)], "Int64"),
            "m": pd.array([n % 2 == 0 if n % 3 else None for n in range(ROWS)], "boolean"),
            "p": np.repeat([1, 2, 3], ROWS // 3),
            "q": ["x y", "z/w"] * (ROWS // 2),
        }
    )


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare values; what dtype strings and times have is pandas' affair."""
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns:
        ours, theirs = found[name].tolist(), expected[name].tolist()
        ours, theirs = ([None if pd.isna(x) else x for x in each] for each in (ours, theirs))
        assert ours == theirs, name


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write the frame, or another, with fastparquet."""

    def written(data: pd.DataFrame | None = None, **options: Any) -> str:
        place = str(tmp_path / "written.parquet")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fastparquet.write(place, frame() if data is None else data, **options)
        return place

    return written


_EITHER = [[("i", "<", 3)], [("i", "==", 44)]]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_offsets": 7},
        {"compression": "SNAPPY"},
        {"compression": "GZIP", "row_group_offsets": 25},
        {"compression": "ZSTD"},
        {"compression": "BROTLI"},
        {"compression": "LZ4_RAW"},
        {"compression": {"_default": "SNAPPY", "f": None, "s": "GZIP"}},
        {"has_nulls": ["s", "n", "m"]},
        {"write_index": True},
        {"stats": False},
        {"stats": True},
        {"custom_metadata": {"who": "me"}},
        {"times": "int96"},
        {"object_encoding": {"s": "utf8", "o": "bytes", "q": "utf8"}},
    ],
    ids=str,
)
def test_what_fastparquet_wrote(write: Callable[..., str], options: dict[str, Any]) -> None:
    data = frame()
    if options.get("times") == "int96":
        # INT96 has no time zone, and fastparquet takes all units for nanoseconds.
        data = data.drop(columns=["z"]).astype({"t": "M8[ns]"})
    place = write(data, **options)
    opened = hp.ParquetFile(place)
    assert opened.selfmade
    same(opened.to_pandas(), data)
    same(opened.to_pandas(filters=[("i", "in", [3, 50])]), data.iloc[[3, 50]])
    table = opened.to_arrow().to_pyarrow()
    assert table.num_rows == ROWS
    assert table["i"].to_pylist() == data["i"].tolist()
    if "custom_metadata" in options:
        assert opened.key_value_metadata["who"] == "me"


@pytest.mark.parametrize(
    ("scheme", "partitions"),
    [("hive", []), ("hive", ["p"]), ("hive", ["p", "q"]), ("drill", ["p"]), ("drill", ["p", "q"])],
)
def test_datasets_of_fastparquet(
    write: Callable[..., str], scheme: str, partitions: list[str]
) -> None:
    data = frame()
    # It makes two directories of a value with a slash.
    data["q"] = data["q"].str.replace("/", " ")
    place = write(data, file_scheme=scheme, partition_on=partitions, row_group_offsets=20)
    opened, theirs = hp.ParquetFile(place), fastparquet.ParquetFile(place)
    assert opened.count() == theirs.count() == ROWS
    assert opened.file_scheme == theirs.file_scheme
    assert (opened.fn, opened.basepath) == (theirs.fn, theirs.basepath)
    assert opened.cats == {name: sorted(values) for name, values in theirs.cats.items()}
    assert opened.info == theirs.info
    found = opened.to_pandas().sort_values("i").reset_index(drop=True)
    names = {f"dir{at}": name for at, name in enumerate(partitions)}
    same(found.rename(columns=names)[list(data.columns)], data)
    assert [group.columns[0].file_path for group in opened.row_groups] == [
        group.columns[0].file_path for group in theirs.row_groups
    ]
    ours = [opened.row_group_filename(group) for group in opened.row_groups]
    assert ours == [theirs.row_group_filename(group) for group in theirs.row_groups]


@pytest.mark.parametrize("index", [pd.Index([f"k{n}" for n in range(ROWS)], name="k"), None])
def test_indexes_of_fastparquet(write: Callable[..., str], index: pd.Index | None) -> None:
    data = frame()[["i", "f"]]
    if index is None:
        data = data.set_index(
            pd.MultiIndex.from_arrays([data["i"] // 10, data["i"]], names=["a", "b"])
        )
    else:
        data = data.set_index(index)
    opened = hp.ParquetFile(write(data))
    found = opened.to_pandas()
    assert found.index.names == data.index.names
    assert found.index.tolist() == data.index.tolist()
    same(found, data)


def test_both_say_the_same_of_a_file(write: Callable[..., str]) -> None:
    place = write(row_group_offsets=20)
    ours, theirs = hp.ParquetFile(place), fastparquet.ParquetFile(place)
    assert ours.info == theirs.info
    assert ours.columns == theirs.columns
    assert ours.categories == theirs.categories
    assert list(ours.dtypes) == list(theirs.dtypes)
    for name, dtype in theirs.dtypes.items():
        if name not in {"s", "q"}:
            assert ours.dtypes[name] == dtype, name
    assert (ours.fn, ours.basepath, ours.file_scheme) == (
        theirs.fn,
        theirs.basepath,
        theirs.file_scheme,
    )
    assert ours.created_by == theirs.created_by.decode()
    assert (ours.selfmade, ours.has_pandas_metadata) == (True, True)
    assert ours.pandas_metadata == theirs.pandas_metadata
    assert set(ours.key_value_metadata) == set(theirs.key_value_metadata)
    assert (len(ours), ours.fmd.num_rows) == (len(theirs), theirs.fmd.num_rows)
    for mine, other in zip(ours.row_groups, theirs.row_groups, strict=True):
        assert (mine.num_rows, mine.total_byte_size) == (other.num_rows, other.total_byte_size)
        for own, its in zip(mine.columns, other.columns, strict=True):
            assert own.meta_data.num_values == its.meta_data.num_values
            assert own.meta_data.data_page_offset == its.meta_data.data_page_offset
    stated, other = ours.statistics, theirs.statistics
    for kind in ("min", "max", "null_count"):
        for name in ("i", "f", "t", "n", "p"):
            assert stated[kind][name] == other[kind][name], (kind, name)
    assert api.sorted_partitioned_columns(ours)["i"] == {"min": [0, 20, 40], "max": [19, 39, 59]}
    filters = [("i", ">", 25)]
    assert api.filter_row_groups(ours, filters, as_idx=True) == [1, 2]
    assert api.filter_row_groups(ours, filters, as_idx=True) == fastparquet.api.filter_row_groups(
        theirs, filters, as_idx=True
    )


@pytest.mark.parametrize(
    "read",
    [
        lambda opened: opened.to_pandas(columns=["i", "f"]),
        lambda opened: opened.to_pandas(columns=["i"], filters=[("i", ">", 25)], row_filter=False),
        lambda opened: opened.to_pandas(columns=["i"], filters=[("i", ">", 25)], row_filter=True),
        lambda opened: opened.to_pandas(columns=["i"], filters=_EITHER, row_filter=True),
        lambda opened: opened.to_pandas(columns=["c"], filters=[("f", ">", 0)], row_filter=True),
        lambda opened: opened.to_pandas(columns=["i"], row_filter=np.arange(ROWS) % 9 == 0),
        lambda opened: opened.to_pandas(columns=["f"], index="i"),
        lambda opened: opened.to_pandas(columns=["f"], index=False),
        lambda opened: opened.head(5, columns=["i", "t"]),
        lambda opened: opened[1:].to_pandas(columns=["i"]),
        lambda opened: opened[-1].to_pandas(columns=["i", "n"]),
        lambda opened: opened[::2].to_pandas(columns=["i"]),
        lambda opened: pd.concat(list(opened.iter_row_groups(columns=["i", "b"]))),
        lambda opened: opened.read_row_group_file(opened.row_groups[1], ["i"], None),
        lambda opened: opened.to_pandas(columns=["i"], dtypes={"i": "float64"}),
    ],
)  # fmt: skip
def test_both_read_the_same(write: Callable[..., str], read: Callable[[Any], pd.DataFrame]) -> None:
    place = write(row_group_offsets=20)
    ours, theirs = read(hp.ParquetFile(place)), read(fastparquet.ParquetFile(place))
    assert ours.index.tolist() == theirs.index.tolist()
    same(ours, theirs)


def test_zeros_behind_the_values_of_a_page_are_no_values(write: Callable[..., str]) -> None:
    """Fastparquet puts eight bytes there, which a reader took for rows once (polars 27081)."""
    data = pd.DataFrame({"s": [f"{n:03}" for n in range(40)], "f": np.arange(40.0)})
    opened = hp.ParquetFile(write(data, row_group_offsets=13))
    same(opened.to_pandas(), data)
    same(opened.to_pandas(filters=[("f", ">", 11)]), data[data["f"] > 11])


def test_appended_files(write: Callable[..., str]) -> None:
    data = frame()[["i", "s", "c"]]
    write(data)
    place = write(data, append=True)
    opened = hp.ParquetFile(place)
    assert opened.count() == 2 * ROWS
    same(opened.to_pandas(), pd.concat([data, data]))


#: What fastparquet reads right on every version of pandas.
_PLAIN = ["i", "i1", "u2", "f", "f4", "b", "t", "n", "m", "p"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_offsets": 7},
        {"compression": "SNAPPY"},
        {"compression": {"_default": "ZSTD", "i": None}},
        {"stats": False},
        {"has_nulls": ["n", "m"]},
        {"file_scheme": "hive", "row_group_offsets": 20},
        {"file_scheme": "hive", "partition_on": ["p"]},
        {"custom_metadata": {"who": "me"}},
    ],
    ids=str,
)
def test_fastparquet_reads_what_stands_in_for_it_writes(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    data = frame()[_PLAIN]
    place = str(tmp_path / "written.parquet")
    # It knows no encodings but these.
    writer.write(place, data, encoding="PLAIN", dictionary=False, **options)
    theirs = fastparquet.ParquetFile(place)
    assert theirs.count() == ROWS
    found = theirs.to_pandas().sort_values("i").reset_index(drop=True)
    same(found[_PLAIN], data)
    assert theirs.info == hp.ParquetFile(place).info
    if "custom_metadata" in options:
        assert theirs.key_value_metadata["who"] == "me"
