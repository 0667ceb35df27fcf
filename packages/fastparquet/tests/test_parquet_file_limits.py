"""Memory: what is too much is refused before it is taken, whatever the file claims."""

import io
import struct
import tracemalloc

import numpy as np
import pytest

import hocket.parquet as hp
from hocket.parquet.dataset.memory import MemoryBudget
from hocket.parquet.decode.target import Target
from hocket.parquet.metadata.objects import bytes_of_object

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MEGA = 1 << 20


def written(table, **options) -> bytes:
    room = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), room, **options)
    return room.getvalue()


def rewritten(raw: bytes, change) -> bytes:
    """A file with another footer: `change` gets it as an object."""
    footer = hp.ParquetFile(raw).fmd
    change(footer)
    made = bytes_of_object(footer)
    old_nbytes = int.from_bytes(raw[-8:-4], "little")
    return raw[: -8 - old_nbytes] + made + struct.pack("<I", len(made)) + b"PAR1"


def claiming(table, count: int) -> bytes:
    """A file whose footer claims so many rows."""

    def change(footer):
        for group in footer.row_groups:
            group.num_rows = count
            for column in group.columns:
                column.meta_data.num_values = count

    return rewritten(written(table, use_dictionary=False), change)


READS = {
    "pandas": lambda opened: opened.to_pandas(),
    "objects": lambda opened: opened.to_pandas(strings="object", nested="python"),
    "arrow": lambda opened: opened.to_arrow(),
    "batches": lambda opened: list(opened.iter_arrow()),
    "numpy": lambda opened: opened.to_numpy(),
    "head": lambda opened: opened.head(3),
    "filter": lambda opened: opened.to_pandas(filters=[(opened.columns[0], "==", 1)]),
}


@pytest.mark.parametrize("count", [1 << 31, 1 << 40, 1 << 61])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize(
    "table",
    [
        {"i": [1, None] * 5},
        {"f": pa.array([1.0, 2.0] * 5)},
        {"s": ["a", None] * 5},
        {"l": [[1, None], []] * 5},
        {"st": [{"a": 1}, None] * 5},
        {"d": pa.array(["a", "b"] * 5).dictionary_encode()},
    ],
    ids="".join,
)
def test_rows_that_nobody_wrote(table, read, count):
    raw = claiming(table, count)
    tracemalloc.start()
    try:
        for limit in (None, MEGA):
            with pytest.raises((hp.CorruptFile, hp.LimitExceeded, hp.InvalidFilter)):
                read(hp.ParquetFile(raw, memory_limit=limit))
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 * MEGA


def test_rows_that_nobody_wrote_and_partitions(tmp_path):
    (tmp_path / "p=1").mkdir()
    (tmp_path / "p=1" / "a.parquet").write_bytes(claiming({"i": [1, 2]}, 1 << 31))
    opened = hp.ParquetFile(tmp_path)
    for read in (opened.to_pandas, opened.to_arrow, opened.to_numpy):
        with pytest.raises((hp.CorruptFile, hp.LimitExceeded)):
            read(columns=["p"])


def test_more_rows_than_can_be_counted():
    def change(footer):
        footer.row_groups = footer.row_groups * 3
        for group in footer.row_groups:
            group.num_rows = 1 << 62

    with pytest.raises(hp.CorruptFile, match=r"3 row groups .* 1\.38e\+19 rows in all"):
        hp.ParquetFile(rewritten(written({"i": [1]}), change))


def test_rows_are_those_of_the_row_groups_whatever_the_footer_says():
    def change(footer):
        footer.num_rows = 0

    opened = hp.ParquetFile(rewritten(written({"i": [1, 2, 3]}), change))
    assert (opened.count(), opened.info["rows"], opened.fmd.num_rows) == (3, 3, 3)
    assert opened.to_pandas()["i"].tolist() == [1, 2, 3]
    assert opened.head(2)["i"].tolist() == [1, 2]


def test_nulls_that_really_are_in_a_few_bytes():
    raw = written({"i": pa.nulls(3 * MEGA, pa.int64()), "s": pa.nulls(3 * MEGA, pa.string())})
    assert len(raw) < 100_000
    assert hp.ParquetFile(raw).to_pandas()["i"].isna().sum() == 3 * MEGA
    for column in ("i", "s"):
        with pytest.raises(hp.LimitExceeded, match=r"3,145,728 rows of 1 columns take 25,165,824"):
            hp.ParquetFile(raw, memory_limit=MEGA).to_pandas(columns=[column])


@pytest.mark.parametrize("read", ["to_pandas", "to_arrow", "to_numpy"])
def test_strings_count_as_they_come_in(read):
    words = [f"{n}" * 500 for n in range(1000)]
    raw = written({f"s{n}": words for n in range(4)}, row_group_size=250)
    total = 4 * sum(map(len, words))
    # No single chunk is too much, but together they are.
    opened = hp.ParquetFile(raw, memory_limit=total // 2)
    with pytest.raises(hp.LimitExceeded, match=r"values so far take .* raise memory_limit"):
        getattr(opened, read)()
    assert len(opened[:1].to_pandas()) == 250
    assert sum(len(frame) for frame in opened.iter_row_groups()) == 1000
    assert sum(batch.num_rows for batch in opened.iter_arrow()) == 1000
    assert getattr(hp.ParquetFile(raw, memory_limit=2 * total), read)() is not None


def test_numbers_fit_exactly():
    raw = written({"f": np.arange(1000.0), "i": np.arange(1000)})
    assert hp.ParquetFile(raw, memory_limit=16_000).to_pandas().shape == (1000, 2)
    with pytest.raises(
        hp.LimitExceeded, match="take 16,000 bytes or more, and the limit is 15,999"
    ):
        hp.ParquetFile(raw, memory_limit=15_999).to_pandas()
    some = hp.ParquetFile(raw, memory_limit=15_999)
    assert some.to_pandas(columns=["f"]).shape == (1000, 1)
    assert some.to_pandas(filters=[("i", "<", 500)]).shape == (500, 2)


def test_a_budget():
    budget = MemoryBudget(100)
    number, text = Target(8, np.dtype("f8")), Target(0, None)
    budget.reserve(4, [((number,), False), ((text,), False), ((), True)], partitions=1)
    budget.take(64)
    with pytest.raises(hp.LimitExceeded, match="so far take 101 bytes"):
        budget.take(1)
    with pytest.raises(hp.LimitExceeded, match="5 rows of 3 columns take 120 bytes"):
        MemoryBudget(100).reserve(5, [((number,), False)] * 3)


def test_offsets_of_lists_are_as_wide_as_they_must_be():
    def change(footer):
        footer.row_groups[1].columns[0].meta_data.num_values = (1 << 31) + 5

    raw = written({"l": [[1], [2]], "s": ["a", "b"]}, row_group_size=1)
    for opened, expected in (
        (hp.ParquetFile(raw), pa.list_(pa.int64())),
        (hp.ParquetFile(rewritten(raw, change)), pa.large_list(pa.int64())),
        (hp.ParquetFile(rewritten(raw, change))[:1], pa.list_(pa.int64())),
    ):
        schema = pa.RecordBatchReader.from_stream(opened.iter_arrow()).schema
        assert schema.field("l").type.value_type == expected.value_type
        assert pa.types.is_large_list(schema.field("l").type) == pa.types.is_large_list(expected)
        assert schema.field("s").type == pa.large_string()
