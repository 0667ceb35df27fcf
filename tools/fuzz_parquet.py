"""Damaged Parquet files, as many as time allows: none may crash, hang, or eat the memory.

``python3 tools/do.py fuzz [--seconds N] [--seed N] [--jobs N] [--only REGEX]``, and to see one
input again, ``--replay SEED:INDEX``; to read files in all ways, ``--read FILE ...``.

Each input is a real or freshly written small file with a few seeded changes: of bytes wherever they
are, or of fields, pages and indexes, with all lengths and checksums around them made right again
(`fuzz_dissection`). Worker processes read one after another, each in one of many ways
(`fuzz_ways`), under an address-space limit. What may come out is a result or a `ParquetError`; any
other exception, a death, a silence, a lack of memory, or two results where there should be one is a
finding: its input is kept in the folder of findings, and its seed and number name it.

With ``--checked`` the kernels run as they are written, in a memory that knows its bounds: a
thousand times slower, and nothing that they touch without right goes unseen. With ``--guided`` they
do so under atheris, which looks for inputs that reach new code (`fuzz_parquet_guided`).
"""

from __future__ import annotations

import argparse
import collections
import mmap
import multiprocessing
import os
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzz_mutants import mutant
from fuzz_seeds import Seed, seeds
from fuzz_ways import WAYS, read, way_name
from workspace import ROOT

FINDINGS = ROOT / ".fuzz"

#: Address space that an input may take beyond what there is before it.
MEMORY_NBYTES = 1 << 30
#: A read that takes longer is a hang; with checked kernels, even of a small file.
SILENCE_S = 30.0
CHECKED_SILENCE_S = 240.0
CHECKED_NBYTES_MAX = 8_000


def work(files: Sequence[Seed], seed: int, share: mmap.mmap, slot: int, jobs: int) -> None:
    """Read input after input, and say on the shared page which one, and how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    for way in range(len(WAYS)):  # All is imported and compiled before memory is bounded.
        read(files[0].data, files[0].data, way, files[0].keys())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    page = memoryview(share)[slot * 64 : slot * 64 + 64].cast("q")
    from hocket.parquet import (  # noqa: PLC0415
        CorruptFile,
        ParquetError,
        UnsupportedFeature,
    )

    while True:
        index = page[0]
        made = mutant(files, seed, index)
        limit_memory(MEMORY_NBYTES)
        try:
            read(made.data, made.seed.data, made.way, made.seed.keys())
            page[1] += 1
        except ParquetError as error:
            page[2] += 1
            if isinstance(error, (CorruptFile, UnsupportedFeature)) and error.file is None:
                page[3] += 1
                keep(files, seed, index, "nowhere", traceback.format_exc())
        except BaseException as error:  # noqa: BLE001
            limit_memory(resource.RLIM_INFINITY)
            page[3] += 1
            keep(files, seed, index, type(error).__name__, traceback.format_exc())
        page[0] = index + jobs
        page[4] += 1


def limit_memory(nbytes: int) -> None:
    """Let this process take so much more address space than it has."""
    if nbytes != resource.RLIM_INFINITY:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        nbytes += pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (nbytes, resource.RLIM_INFINITY))


def keep(files: Sequence[Seed], seed: int, index: int, what: str, told: str) -> None:
    """Keep a finding: the input, and what happened. Of equal ones only the first is kept."""
    made = mutant(files, seed, index)
    places = re.findall(r'File "[^"]*/(\w+\.py)", line (\d+)', told)[-3:]
    place = "-".join(f"{name}{line}" for name, line in places)
    stem = FINDINGS / f"{seed}-{index}-{what}"
    FINDINGS.mkdir(exist_ok=True)
    if place and any(FINDINGS.glob(f"*{place}*")):
        return
    if place:
        stem = stem.with_name(f"{stem.name}-{place}")
    about = f"{made.seed.name}, way {way_name(made.way)}"
    stem.with_suffix(".parquet").write_bytes(made.data)
    stem.with_suffix(".txt").write_text(f"{about}\n{told}\n", encoding="utf-8")
    print(f"FOUND {what}: --replay {seed}:{index} ({about})", flush=True)


# ---------------------------------------------------------------------------------------- leading


def lead(
    files: Sequence[Seed], seed: int, seconds: float, jobs: int, silence_s: float = SILENCE_S
) -> int:
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
    begin = time.monotonic()
    is_over: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: is_over.append(True))
    while time.monotonic() < begin + seconds and not is_over:
        time.sleep(0.2)
        for slot, page in enumerate(pages):
            now = time.monotonic()
            if page[4] != seen[slot][0]:
                seen[slot] = (page[4], now)
            silent = now - seen[slot][1] > silence_s
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
        f"fuzz: {total:,} inputs of {len(files)} files in "
        f"{time.monotonic() - begin:.0f} s: {read_:,} read, "
        f"{refused:,} refused, {wrong} wrong errors, deaths {dict(deaths)}"
    )
    return wrong + sum(deaths.values())


def replay(files: Sequence[Seed], which: str) -> None:
    """Read one input again, here."""
    seed, index = map(int, which.split(":"))
    made = mutant(files, seed, index)
    print(f"{made.seed.name}, {len(made.data)} bytes, way {way_name(made.way)}", flush=True)
    read(made.data, made.seed.data, made.way, made.seed.keys())


def read_all(paths: Sequence[Path], numbers: int) -> int:
    """Read files in all ways, each with some numbers for its choices; return the exit code."""
    from hocket.parquet import ParquetError  # noqa: PLC0415 - kernels may be replaced before

    wrong = 0
    for path in paths:
        data = path.read_bytes()
        for way in range(len(WAYS) * numbers):
            try:
                read(data, data, way)
            except ParquetError:
                continue
            except Exception:  # noqa: BLE001 - each is a finding
                wrong += 1
                print(f"FOUND {path.name}, way {way_name(way)}:\n{traceback.format_exc()}")
    print(f"fuzz: {len(paths)} files read in {len(WAYS)} ways, {wrong} wrong errors")
    return 1 if wrong else 0


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="a regular expression for names of seed files")
    parser.add_argument("--checked", action="store_true", help="kernels in bounded memory")
    parser.add_argument("--guided", action="store_true", help="the same, led by what is reached")
    parser.add_argument("--replay", help="SEED:INDEX of one input")
    parser.add_argument("--read", nargs="+", type=Path, help="files to read, each in all ways")
    parser.add_argument("--numbers", type=int, default=4, help="how often in each way")
    options = parser.parse_args()
    if options.guided:
        import fuzz_parquet_guided  # noqa: PLC0415 - it has the reader instrumented

        return fuzz_parquet_guided.run(options.only, options.seconds, options.seed)
    if options.checked:
        import checked_kernels  # noqa: PLC0415

        checked_kernels.install()
    if options.read:
        return read_all(options.read, options.numbers)
    files = seeds(options.only)
    silence_s = SILENCE_S
    if options.checked:
        files = [seed for seed in files if len(seed.data) <= CHECKED_NBYTES_MAX]
        silence_s = CHECKED_SILENCE_S
    if options.replay:
        replay(files, options.replay)
        return 0
    return 1 if lead(files, options.seed, options.seconds, options.jobs, silence_s) else 0


if __name__ == "__main__":
    sys.exit(main())
