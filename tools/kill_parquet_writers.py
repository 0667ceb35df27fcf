"""Kills writers of Parquet datasets at random points, and looks at what they leave.

::

    python tools/kill_parquet_writers.py --kills 200 --seed 7 DIRECTORY

Each time a child process edits a file or a dataset (append, overwrite of partitions, removal of row
groups, change of metadata, compaction) and gets SIGKILL after a random time. Then the dataset has
to be as before or as after the edit, and the next edit has to work.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import hocket.parquet as hp
from hocket.parquet.api import compact, update_file_custom_metadata, write

__all__ = ["Kills", "kill_writers"]

_KEYS = 3
_ROWS = 400

Rows = list[tuple[int, int]]


@dataclass
class Kills:
    """What came of it.

    Parameters
    ----------
    killed
        How many writers were killed.
    unchanged, changed
        How often the edit had not taken effect then, and how often it had, where one can tell.
    finished
        How many writers were faster.
    """

    killed: int = 0
    unchanged: int = 0
    changed: int = 0
    finished: int = 0
    #: How long each kind of edit takes, from those that were not killed.
    seconds: dict[str, float] = field(default_factory=dict)


class _Target:
    """A file or a dataset, and the rows that it has to have."""

    def __init__(self, root: Path, scheme: str, *, write_metadata: bool | None) -> None:
        self.path = str(root / f"{scheme}-{write_metadata}")
        self._options: dict[str, Any] = {
            "file_scheme": "simple" if scheme == "simple" else "hive",
            "partition_on": ["k"] if scheme == "hive" else [],
            "write_metadata": write_metadata,
            "threads": 1,
            "compression": None,
        }
        self._next = 0
        self.scheme = scheme
        first, self.rows = self._new_rows([])
        write(self.path, first, **self._options)

    def _new_rows(self, before: Rows, keys: int = _KEYS) -> tuple[pd.DataFrame, Rows]:
        start, self._next = self._next, self._next + _ROWS
        numbers = range(start, self._next)
        frame = pd.DataFrame({"k": [n % keys for n in numbers], "n": list(numbers)})
        frame["text"] = frame["n"].astype(str) * 20
        return frame, [*before, *((n % keys, n) for n in numbers)]

    def read(self) -> Rows:
        """Return all rows, in order, as far as they are right."""
        frame = hp.read(self.path)
        if not (frame["text"] == frame["n"].astype(str) * 20).all():
            raise AssertionError(f"{self.path}: a text is not that of its number")
        return sorted(zip(frame["k"].astype(int).tolist(), frame["n"].tolist(), strict=True))

    def append(self) -> tuple[Callable[[], object], Rows]:
        frame, after = self._new_rows(self.rows)
        return lambda: write(self.path, frame, append=True, **self._options), after

    def overwrite(self) -> tuple[Callable[[], object], Rows]:
        frame, new = self._new_rows([], keys=2)
        kept = [row for row in self.rows if row[0] >= 2]
        return lambda: write(self.path, frame, append="overwrite", **self._options), [*kept, *new]

    def anew(self) -> tuple[Callable[[], object], Rows]:
        frame, after = self._new_rows([])
        return lambda: write(self.path, frame, **self._options), after

    def remove(self) -> tuple[Callable[[], object], Rows]:
        file = hp.ParquetFile(self.path)
        gone = list(range(0, len(file) - 1, 2))
        kept = [number for number in range(len(file)) if number not in gone]
        after: Rows = []
        for number in kept:
            frame = file[number].to_pandas()
            after += zip(frame["k"].astype(int).tolist(), frame["n"].tolist(), strict=True)
        summary = self._options["write_metadata"] is None
        return lambda: hp.ParquetFile(self.path).remove_row_groups(gone, write_fmd=summary), after

    def tell(self) -> tuple[Callable[[], object], Rows]:
        told: dict[str | bytes, str | bytes | None] = {"told": str(self._next)}
        return lambda: update_file_custom_metadata(self.path, told), self.rows

    def compact(self) -> tuple[Callable[[], object], Rows]:
        return lambda: compact(self.path, threads=1), self.rows

    def edits(self) -> list[str]:
        """Return the kinds of edits that it can have."""
        every = ["append", "append", "anew", "remove", "tell"]
        if self.scheme != "simple":
            every.append("compact")
        return [*every, "overwrite", "overwrite"] if self.scheme == "hive" else every


def kill_writers(root: Path, kills: int, seed: int) -> Kills:
    """Kill writers, and check what they leave.

    Parameters
    ----------
    root
        A directory for the datasets.
    kills
        How many writers.
    seed
        Of what is random.
    """
    dice = random.Random(seed)  # noqa: S311 - no secrets
    targets = [
        _Target(root, "simple", write_metadata=None),
        _Target(root, "hive", write_metadata=None),
        _Target(root, "hive", write_metadata=False),
        _Target(root, "flat", write_metadata=None),
    ]
    outcome = Kills()
    while outcome.killed < kills:
        target = dice.choice(targets)
        kind = dice.choice(target.edits())
        edit, after = getattr(target, kind)()
        limit_s = outcome.seconds.get(f"{target.scheme} {kind}")
        delay_s = None if limit_s is None else dice.uniform(0, 1.1 * limit_s)
        took_s = _run(edit, delay_s)
        if took_s is not None:
            outcome.finished += 1
            known = outcome.seconds.get(f"{target.scheme} {kind}", took_s)
            outcome.seconds[f"{target.scheme} {kind}"] = min(known, took_s)
        now, before, after = target.read(), sorted(target.rows), sorted(after)
        if now not in (before, after) or (took_s is not None and now != after):
            raise AssertionError(
                f"{target.path}: after {kind} (seed {seed}) there are {len(now)} rows; "
                f"{len(before)} or {len(after)} were expected"
            )
        outcome.killed += took_s is None
        outcome.changed += took_s is None and now == after != before
        outcome.unchanged += took_s is None and now == before != after
        target.rows = now
    for target in targets:
        edit, after = target.append()
        edit()
        if target.read() != sorted(after):
            raise AssertionError(f"{target.path}: the last append went wrong (seed {seed})")
        left = [path for path in Path(root).rglob("*") if ".hocket" in path.name]
        left = [path for path in left if str(path).startswith(target.path)]
        if left:
            raise AssertionError(f"{left[:5]} were left behind (seed {seed})")
    return outcome


def _run(edit: Callable[[], object], delay_s: float | None) -> float | None:
    """Edit in a child that is killed after a while; return how long it took if it was faster."""
    begin = time.perf_counter()
    child = os.fork()
    if not child:
        status = 1
        try:
            edit()
            status = 0
        except BaseException as error:  # noqa: BLE001 - told by the parent
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    if delay_s is not None:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    took_s = time.perf_counter() - begin
    if os.WIFSIGNALED(status):
        return None
    if os.waitstatus_to_exitcode(status):
        raise AssertionError("the edit failed")
    return took_s


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))  # noqa: S311
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    outcome = kill_writers(arguments.directory, arguments.kills, arguments.seed)
    print(
        f"{outcome.killed} writers were killed: {outcome.unchanged} before their edit took effect, "
        f"{outcome.changed} after that; {outcome.finished} were faster; nothing was lost"
    )


if __name__ == "__main__":
    main()
