"""Damaged Parquet files, as many as time allows: none may crash, hang, or eat the memory.

``python3 tools/do.py fuzz [--seconds N] [--seed N] [--jobs N] [--only REGEX]``, and to see one
input again, ``--replay SEED:INDEX``.

Each input is a real or freshly written small file with a few seeded changes: bytes, lengths, lost
or doubled or foreign pieces, blown-up counts. Worker processes read one after another, each in one
of several ways, under an address-space limit. What may come out is a result or a `ParquetError`;
any other exception, a death, a silence or a lack of memory is a finding: its input is kept in the
folder of findings, and its seed and number name it for ever. With ``--checked`` the kernels run as
they are written, in a memory that knows its bounds: a thousand times slower, and nothing that they
touch without right goes unseen.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import mmap
import multiprocessing
import os
import random
import re
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from workspace import ROOT

CORPUS = ROOT.parent / "shared" / "data"
FINDINGS = ROOT / ".fuzz"

#: Larger files teach nothing more, and cost time.
SEED_NBYTES_MAX = 60_000
#: Address space beyond what a worker has when it starts.
MEMORY_NBYTES = 3 << 30
#: A read that takes longer is a hang.
SILENCE_S = 30.0

_INTERESTING = (0, 1, 2, 0x0F, 0x10, 0x15, 0x1C, 0x20, 0x40, 0x7F, 0x80, 0xFE, 0xFF)


# ---------------------------------------------------------------------------------------- inputs


def seeds(only: str) -> list[tuple[str, bytes]]:
    """Return the files that are damaged, by name: those of the corpus and some written here."""
    found = [
        (str(path.relative_to(CORPUS)), path.read_bytes())
        for path in (sorted(CORPUS.rglob("*.parquet*")) if CORPUS.exists() else [])
        if path.suffix != ".json" and path.stat().st_size <= SEED_NBYTES_MAX
    ]
    found += written()
    chosen = [(name, data) for name, data in found if re.search(only, name)]
    if not chosen:
        raise SystemExit(f"no seed file matches {only!r}")
    return chosen


def written() -> list[tuple[str, bytes]]:
    """Return small files of every encoding and page version, not compressed."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    numbers = [None if n % 7 == 3 else n * n for n in range(300)]
    words = [None if n % 5 == 1 else f"word {n % 40} {'x' * (n % 13)}" for n in range(300)]
    columns: dict[str, tuple[Any, list[str]]] = {
        "i32": (
            pa.array(numbers, pa.int32()),
            ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
        ),
        "i64": (
            pa.array(numbers, pa.int64()),
            ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
        ),
        "f64": (pa.array(numbers, pa.float64()), ["PLAIN", "BYTE_STREAM_SPLIT"]),
        "bool": (pa.array([None if n is None else n % 3 == 0 for n in numbers]), ["PLAIN", "RLE"]),
        "text": (pa.array(words), ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]),
        "fixed": (
            pa.array([b"%06d" % n for n in range(300)], pa.binary(6)),
            ["PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"],
        ),
        "decimal": (pa.array(numbers).cast(pa.decimal128(20, 0)), ["PLAIN"]),
        "list": (
            pa.array([None if n % 9 == 4 else list(range(n % 4)) for n in range(300)]),
            ["PLAIN"],
        ),
        "map": (
            pa.array([[(f"k{n % 3}", n)] for n in range(300)], pa.map_(pa.string(), pa.int64())),
            ["PLAIN"],
        ),
        "struct": (
            pa.array([{"a": n, "b": [str(n)]} if n % 4 else None for n in range(300)]),
            ["PLAIN"],
        ),
    }
    found = []
    for name, (array, encodings) in columns.items():
        table = pa.table({name: array})
        for encoding in [*encodings, "dictionary"]:
            for version in ("1.0", "2.0"):
                sink = io.BytesIO()
                options: dict[str, Any] = {"use_dictionary": encoding == "dictionary"}
                if encoding != "dictionary" and not pa.types.is_nested(array.type):
                    options["column_encoding"] = {name: encoding}
                with contextlib.suppress(OSError, pa.ArrowException):
                    pq.write_table(
                        table,
                        sink,
                        compression="NONE",
                        data_page_version=version,
                        write_page_index=True,
                        data_page_size=600,
                        row_group_size=200,
                        **options,
                    )
                    found.append((f"written/{name}-{encoding}-v{version[0]}", sink.getvalue()))
    return found


def mutant(files: list[tuple[str, bytes]], seed: int, index: int) -> tuple[str, bytes, int]:
    """Return the name of the file that an input is made of, the input, and how to read it."""
    chance = random.Random(f"{seed}:{index}")  # noqa: S311
    name, original = files[chance.randrange(len(files))]
    data = bytearray(original)
    footer_nbytes = int.from_bytes(data[-8:-4], "little")
    footer_start = max(4, len(data) - 8 - footer_nbytes)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        low, high = (4, footer_start) if chance.random() < 0.55 else (footer_start, len(data) - 8)
        if high - low < 8:
            low, high = 0, len(data)
        at = chance.randrange(low, max(high, low + 1)) if high > low else 0
        _change(data, at, chance, files)
    return name, bytes(data), chance.randrange(1 << 30)


def _change(
    data: bytearray, at: int, chance: random.Random, files: list[tuple[str, bytes]]
) -> None:
    kind = chance.random()
    if kind < 0.35:
        data[at : at + 1] = bytes([chance.choice(_INTERESTING)])
    elif kind < 0.6:
        if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    elif kind < 0.7:
        data[at : at + 5] = b"\xff" * chance.randrange(1, 6)
    elif kind < 0.76:
        del data[at : at + chance.randrange(1, 24)]
    elif kind < 0.82:
        data[at:at] = data[at : at + chance.randrange(1, 24)]
    elif kind < 0.88:
        _, other = chance.choice(files)
        start = chance.randrange(len(other))
        piece = other[start : start + chance.randrange(1, 64)]
        data[at : at + len(piece)] = piece
    elif kind < 0.94:
        data[at : at + 4] = struct.pack(
            "<I",
            chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, chance.randrange(1 << 32))),
        )
    elif kind < 0.97 and len(data) > 12:
        data[-8:-4] = struct.pack(
            "<I", chance.choice((0, len(data) - 12, len(data), chance.randrange(1 << 16)))
        )
    else:
        del data[at:]
        data += b"PAR1"


# --------------------------------------------------------------------------------------- reading


def read(data: bytes, way: int) -> None:
    """Read an input in one of several ways."""
    from hocket.parquet import ParquetFile  # noqa: PLC0415

    file = ParquetFile(io.BytesIO(data))
    kind = way % 8
    if kind == 0:
        file.to_arrow()
    elif kind == 1:
        _ = file.statistics, file.info, str(file.schema), file.dtypes, file.key_value_metadata
        file.head(5)
    elif kind == 2 and file.columns:
        column = file.columns[way // 8 % len(file.columns)]
        value = file.to_pandas(columns=[column])[column].dropna()
        if len(value) and isinstance(value.iloc[0], str | int | float):
            file.to_pandas(filters=[(column, "==", value.iloc[len(value) // 2])])
    elif kind == 3:
        for _ in file.iter_row_groups():
            pass
    elif kind == 4:
        _ = file.fmd
        file.to_numpy()
    else:
        file.to_pandas()


def work(files: list[tuple[str, bytes]], seed: int, share: mmap.mmap, slot: int, jobs: int) -> None:
    """Read input after input, and say on the shared page which one, and how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    read(files[0][1], 5)  # All is imported and compiled before memory is bounded.
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_NBYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    page = memoryview(share)[slot * 64 : slot * 64 + 64].cast("q")
    from hocket.parquet import ParquetError  # noqa: PLC0415

    while True:
        index = page[0]
        _, data, way = mutant(files, seed, index)
        try:
            read(data, way)
            page[1] += 1
        except ParquetError:
            page[2] += 1
        except BaseException as error:  # noqa: BLE001
            page[3] += 1
            keep(files, seed, index, f"{type(error).__name__}", traceback.format_exc())
        page[0] = index + jobs
        page[4] += 1


def keep(files: list[tuple[str, bytes]], seed: int, index: int, what: str, told: str) -> None:
    """Keep a finding: the input, and what happened."""
    name, data, way = mutant(files, seed, index)
    FINDINGS.mkdir(exist_ok=True)
    stem = FINDINGS / f"{seed}-{index}-{what}"
    stem.with_suffix(".parquet").write_bytes(data)
    stem.with_suffix(".txt").write_text(f"{name}, way {way % 8}\n{told}\n", encoding="utf-8")
    print(f"FOUND {what}: --replay {seed}:{index} ({name}, way {way % 8})", flush=True)


# ---------------------------------------------------------------------------------------- leading


def lead(files: list[tuple[str, bytes]], seed: int, seconds: float, jobs: int) -> int:
    """Let workers read until the time is over; return how many findings there were."""
    context = multiprocessing.get_context("fork")
    share = mmap.mmap(-1, 64 * jobs)
    pages = [memoryview(share)[slot * 64 : slot * 64 + 64].cast("q") for slot in range(jobs)]
    for slot, page in enumerate(pages):
        page[0] = slot

    def start(slot: int) -> Any:
        process = context.Process(target=work, args=(files, seed, share, slot, jobs), daemon=True)
        process.start()
        return process

    workers = [start(slot) for slot in range(jobs)]
    seen = [(page[4], time.monotonic()) for page in pages]
    deaths: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.2)
        for slot, page in enumerate(pages):
            now = time.monotonic()
            if page[4] != seen[slot][0]:
                seen[slot] = (page[4], now)
            silent = now - seen[slot][1] > SILENCE_S
            if workers[slot].is_alive() and not silent:
                continue
            what = (
                "hang"
                if silent
                else signal.Signals(-workers[slot].exitcode).name
                if (workers[slot].exitcode or 0) < 0
                else f"exit{workers[slot].exitcode}"
            )
            workers[slot].kill()
            workers[slot].join()
            deaths[what] += 1
            keep(files, seed, page[0], what, "the worker did not come back")
            page[0] += jobs
            seen[slot] = (page[4], now)
            workers[slot] = start(slot)
    for worker in workers:
        worker.kill()
        worker.join()
    read_, refused, wrong, done = (sum(page[column] for page in pages) for column in (1, 2, 3, 4))
    total = done + sum(deaths.values())
    print(
        f"fuzz: {total:,} inputs of {len(files)} files in {seconds:.0f} s: {read_:,} read, "
        f"{refused:,} refused, {wrong} wrong errors, deaths {dict(deaths)}"
    )
    return wrong + sum(deaths.values())


def replay(files: list[tuple[str, bytes]], which: str) -> None:
    """Read one input again, here."""
    seed, index = map(int, which.split(":"))
    name, data, way = mutant(files, seed, index)
    print(f"{name}, {len(data)} bytes, way {way % 8}", flush=True)
    read(data, way)


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a regular expression for names of seed files")
    parser.add_argument("--checked", action="store_true", help="kernels in bounded memory")
    parser.add_argument("--replay", help="SEED:INDEX of one input")
    options = parser.parse_args()
    if options.checked:
        import checked_kernels  # noqa: PLC0415

        checked_kernels.install()
    files = seeds(options.only)
    if options.replay:
        replay(files, options.replay)
        return 0
    return 1 if lead(files, options.seed, options.seconds, options.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
