"""Damaged files that once did harm, and a few thousand new ones: each is read, or refused.

The files are what fuzzing found (``make fuzz``), each named for what is wrong with it; no way to
read one may end in anything but a result or a `ParquetError`, compiled or in bounded memory.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fuzz_dissection import dissected, liar
from fuzz_mutants import mutant
from fuzz_seeds import Seed, written
from fuzz_ways import WAYS, read
from hocket.parquet import ParquetError, ParquetFile

ROOT = Path(__file__).resolve().parents[2]
DAMAGED = sorted((ROOT / "packages" / "fastparquet" / "tests" / "damaged").glob("*.parquet"))
NBYTES_MAX = 5000
NEW = 400

pytestmark = pytest.mark.filterwarnings("ignore")


def attempt(data: bytes, original: bytes, way: int) -> str:
    """Read a file, and tell whether it could be read. Another error than a `ParquetError` shows."""
    try:
        read(data, original, way)
    except ParquetError:
        return "refused"
    return "read"


def test_there_are_such_files() -> None:
    assert DAMAGED
    assert all(path.stat().st_size <= NBYTES_MAX for path in DAMAGED)


@pytest.mark.parametrize("path", DAMAGED, ids=lambda path: path.stem)
def test_what_did_harm_does_so_no_more(path) -> None:
    data = path.read_bytes()
    for number in range(6):
        for way in range(len(WAYS)):
            attempt(data, data, way + number * len(WAYS))


def test_the_same_in_bounded_memory() -> None:
    command = [sys.executable, "tools/fuzz_parquet.py", "--checked", "--numbers", "1", "--read"]
    done = subprocess.run(
        [*command, *map(str, DAMAGED)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(DAMAGED)} files read in {len(WAYS)} ways, 0 wrong" in done.stdout


@pytest.fixture(scope="module")
def files() -> list[Seed]:
    pytest.importorskip("pyarrow")
    return written()


def test_files_that_are_taken_apart_are_put_together_again(files) -> None:
    for seed in files:
        parts = seed.dissected()
        assert parts is not None
        before = ParquetFile(seed.data).to_pandas()
        pd.testing.assert_frame_equal(ParquetFile(parts.written()).to_pandas(), before)
        if not any(nested in seed.name for nested in ("list", "map", "struct")):
            filters = [(ParquetFile(seed.data).columns[0], "is not null", None)]
            rows = ParquetFile(parts.written()).to_pandas(filters=filters)
            assert len(rows) == ParquetFile(seed.data).count(filters)


def test_a_lie_is_told_and_the_rest_fits(files) -> None:
    changed = 0
    for number in range(100):
        parts = files[number % len(files)].dissected()
        page = parts.chunks[0].pages[0]
        plain = page.plain(parts.meta(parts.chunks[0]).codec)
        page.put(plain + b"more", parts.meta(parts.chunks[0]).codec)
        page.lies.append(liar(number))
        again = dissected(parts.written())
        if again is not None:
            changed += again.chunks[0].pages[0].header != page.header
    assert changed > 50


def test_new_ones(files) -> None:
    ends = set()
    for index in range(NEW):
        made = mutant(files, 20260923, index)
        ends.add(attempt(made.data, made.seed.data, made.way))
    assert ends == {"read", "refused"}
