"""Files of a few bytes that ask for much memory: a process with little of it lives and says so."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from parquet_chunk_writer import (
    DELTA,
    DELTA_STRINGS,
    PLAIN,
    RLE,
    RLE_DICTIONARY,
    ChunkWriter,
    delta,
    leaf_of,
    varint,
    zigzag,
)
from parquet_file_maker import FileMaker, framed, one_column

from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import PhysicalType
from hocket.parquet.metadata.objects import bytes_of_object

P = PhysicalType
HUGE = (1 << 31) - 1

#: Reads each file, tells how it ended, and what memory was used at most.
PROGRAM = """
import resource, sys, threading
from pathlib import Path
from hocket.parquet import ParquetError, ParquetFile

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

folder = Path(sys.argv[1])
sound = folder / "sound.parquet"
for read in (ParquetFile.to_pandas, ParquetFile.to_arrow, ParquetFile.to_numpy):
    read(ParquetFile(sound))
before = peak()
pages = int(Path("/proc/self/statm").read_text().split()[0])
room = pages * resource.getpagesize() + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
for path in sorted(folder.glob("*.parquet")):
    for read in (ParquetFile.to_pandas, ParquetFile.to_arrow, ParquetFile.to_numpy):
        try:
            read(ParquetFile(path))
            end = "read"
        except ParquetError as error:
            assert error.reason
            end = type(error).__name__
        print(path.stem, end, peak() - before)
"""


def paged(leaf, count, body, encoding=PLAIN, *, codec=0, entries=(), size=None) -> bytes:
    writer = ChunkWriter(leaf, codec)
    if entries:
        writer.add_dictionary(list(entries))
    writer.page(0, 5, {1: count, 2: encoding, 3: RLE, 4: RLE}, body, size or len(body))
    writer.num_values = writer.num_rows = count
    return one_column(writer)


def bombs() -> dict[str, bytes]:
    """Return small files by what is large about them."""
    numbers, text = leaf_of(P.INT64), leaf_of(P.BYTE_ARRAY)
    optional = leaf_of(P.INT64, definition=1)
    run = b"\x01" + varint(HUGE << 1) + b"\x00"
    levels = varint(HUGE << 1) + b"\x00"
    group = ttypes.SchemaElement(name="s", num_children=HUGE)
    repeated = delta([0, *[1] * 9]) + delta([1 << 20, *[0] * 9]) + b"x" * 10
    files = {
        "values-of-a-run": paged(numbers, HUGE, run, RLE_DICTIONARY, entries=[7]),
        "strings-of-a-run": paged(text, HUGE, run, RLE_DICTIONARY, entries=[b"x" * 5000]),
        "nulls-of-a-run": paged(optional, HUGE, struct.pack("<I", len(levels)) + levels),
        "plain-values": paged(numbers, HUGE, bytes(40)),
        "plain-strings": paged(text, HUGE, bytes(40)),
        "booleans": paged(leaf_of(P.BOOLEAN), HUGE, bytes(40)),
        "fixed-values": paged(leaf_of(P.FIXED_LEN_BYTE_ARRAY, type_length=HUGE), 3, bytes(40)),
        "deltas": paged(
            numbers, HUGE, varint(128) + varint(4) + varint(HUGE) + zigzag(1) + bytes(40), DELTA
        ),
        "delta-blocks": paged(
            numbers, 9, varint(1 << 31) + varint(4) + varint(9) + zigzag(1) + bytes(40), DELTA
        ),
        "prefixes": paged(text, 10, repeated, DELTA_STRINGS),
        "schema": framed(bytes_of_object(ttypes.FileMetaData(2, [group], 0, []))),
    }
    for codec, stream in (
        (1, varint(HUGE) + b"\xfe\x01\x00" * 30),
        (2, b"\x1f\x8b\x08" + bytes(90)),
    ):
        files[f"page-of-codec-{codec}"] = paged(numbers, 3, stream, codec=codec, size=HUGE)
    for codec in (4, 5, 6, 7):
        files[f"page-of-codec-{codec}"] = paged(numbers, 3, b"\x28" * 60, codec=codec, size=HUGE)
    dictionary = ChunkWriter(numbers, dictionary=[1], num_values=1, num_rows=1)
    dictionary.page(2, 7, {1: HUGE, 2: PLAIN}, bytes(40), 40).add([1], RLE_DICTIONARY)
    files["dictionary"] = one_column(dictionary)
    wide = FileMaker(1)
    wide.columns = FileMaker(1).add("a", ChunkWriter(numbers).add([1])).columns * 2000
    files["columns"] = wide.written()
    return files


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits are told Linux's way")
def test_small_files_take_little_memory(tmp_path):
    files = {**bombs(), "sound": one_column(ChunkWriter(leaf_of(P.INT64)).add([1, 2, 3]))}
    for name, raw in files.items():
        if name != "columns":
            assert len(raw) < 6000
        (tmp_path / f"{name}.parquet").write_bytes(raw)
    room_mb = 400
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(room_mb)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    ends = [line.split() for line in done.stdout.splitlines()]
    assert len(ends) == 3 * len(files)
    for name, end, _ in ends:
        assert (end == "read") == (name in {"sound", "columns"}), (name, end)
    assert {end for _, end, _ in ends} == {"read", "CorruptFile", "LimitExceeded"}
    assert max(int(peak_mb) for _, _, peak_mb in ends) < room_mb // 2
