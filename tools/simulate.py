"""The simulator on all cores: ``make simulate SEEDS=2000`` (and ``ARGS="--start 5000"``).

    simulate.py [--seeds 1000] [--start 0] [--steps 500] [--workers 3] [--processes 2]

Runs so many histories over configurations drawn from their seeds; says how many a minute, and how
often each row of the table of transitions was taken. The first seed that fails ends it: its history
is told, cut down, and printed as a program that replays it. Exits with 1 when a rule is broken, and
with 2 when some transition was never taken. With --seed N all of this is left to
``python -m hocket.testing``, which tells the story of that one.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from hocket.testing.__main__ import describe_shrunk
from hocket.testing.__main__ import main as tell
from hocket.testing.campaign import Tally, run_seeds
from hocket.testing.simulation import STEPS_DEFAULT

#: Seeds that a process runs before it reports.
CHUNK_SEEDS = 25
#: From so many seeds on every transition must have been taken.
COMPLETE_SEEDS = 1000


def main(arguments: list[str]) -> int:
    """Run the histories; return the exit code."""
    if any(one == "--seed" or one.startswith("--seed=") for one in arguments):
        return tell(arguments)
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    seeds_default = int(os.environ.get("SEEDS") or COMPLETE_SEEDS)
    parser.add_argument("--seeds", type=int, default=seeds_default, help="how many histories")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=STEPS_DEFAULT, help="events before all heals")
    parser.add_argument("--workers", type=int, default=None, help="number of workers")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    began_s, began_processor_s = time.monotonic(), _processor_s()
    tally = Tally()
    with ProcessPoolExecutor(options.processes) as pool:
        chunks = {
            pool.submit(run_seeds, seeds, options.steps, options.workers): seeds
            for seeds in _chunks(options.start, options.start + options.seeds)
        }
        for chunk in as_completed(chunks):
            if chunk.cancelled():
                continue
            tally.merge(chunk.result())
            if tally.failed is not None:
                _cancel_later(chunks, tally.failed.seed)
    seconds = max(time.monotonic() - began_s, 1e-3)
    processor_s = max(_processor_s() - began_processor_s, 1e-3)
    count = tally.histories_count
    print(tally.totals())
    print(
        f"{count / seconds * 60:,.0f} histories a minute by {options.processes} processes,"
        f" {count / processor_s * 60:,.0f} a minute of processor time"
    )
    print(tally.coverage())
    if tally.failed is not None:
        print(f"\nthe first seed that fails is {tally.failed.seed}\n")
        print(tally.failed.describe(), flush=True)
        print(describe_shrunk(tally.failed))
        return 1
    return 2 if tally.missed and options.seeds >= COMPLETE_SEEDS else 0


def _chunks(start: int, end: int) -> Iterator[range]:
    for first in range(start, end, CHUNK_SEEDS):
        yield range(first, min(end, first + CHUNK_SEEDS))


def _cancel_later(chunks: dict[Future[Tally], range], seed: int) -> None:
    """Spare what cannot find an earlier seed that fails."""
    for chunk, seeds in chunks.items():
        if seeds.start > seed:
            chunk.cancel()


def _processor_s() -> float:
    times = os.times()
    return times.user + times.children_user


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
