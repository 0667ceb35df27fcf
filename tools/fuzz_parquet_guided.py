"""Damaged Parquet files that are bred for the code they reach, with atheris (libFuzzer).

``python3 tools/do.py fuzz --guided [--seconds N] [--seed N] [--only REGEX]``. The reader and its
kernels, as they are written and in a memory that knows its bounds, are instrumented: an input that
gets anywhere new is kept and changed further. Changes are those of `fuzz_mutants`: where a file can
be taken apart, a page, a header, an index or the footer is changed, and all lengths are made right
again, so that the reader gets to it. Atheris is not needed for anything else; without it this says
so. What was bred stays in the folder of findings, and the next run goes on from there.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import pkgutil
import random
import subprocess
import sys
import time
import traceback
import types
import warnings
from pathlib import Path
from typing import Any, Final

import checked_kernels
from fuzz_dissection import dissected
from fuzz_mutants import change_bytes, change_structure
from fuzz_seeds import Seed, seeds
from fuzz_ways import WAYS, read, way_name
from workspace import ROOT

FINDINGS: Final = ROOT / ".fuzz"
BRED: Final = FINDINGS / "bred"

#: Checked kernels take long.
NBYTES_MAX: Final = 12_000
SILENCE_S: Final = 300
MEMORY_MB: Final = 4096
#: What begins each input: how to read it.
_WAY_NBYTES: Final = 2

#: What brings code for machines, or is only for the shell.
_NOT_IMPORTED: Final = ("compiler", "instructions", "numba_target", "object_code", "__main__")


def run(only: str, seconds: float, seed: int) -> int:
    """Breed inputs in processes of their own until the time is over; return how many died."""
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: --guided needs atheris, which is not installed: pip install atheris")
        return 2
    end = time.monotonic() + seconds
    deaths = 0
    while (left := end - time.monotonic()) > 1:
        command = [sys.executable, __file__, only, str(int(left) + 1), str(seed + deaths)]
        found = subprocess.run(command, check=False, cwd=ROOT)
        if found.returncode == 0:
            break
        deaths += 1
    return 1 if deaths or any(FINDINGS.glob("guided-*.txt")) else 0


def breed(only: str, seconds: int, seed: int) -> None:
    """Breed inputs in this process; it does not come back."""
    import atheris  # noqa: PLC0415 - it may be missing

    class Memory(checked_kernels.LivingMemory):
        """Kernels in bounded memory that tell where they come by."""

        def code(self, function: types.FunctionType) -> types.CodeType:
            patched: types.CodeType = atheris.patch_code(
                super().code(function), trace_dataflow=True
            )
            return patched

    with atheris.instrument_imports(include=["hocket.parquet"]):
        checked_kernels.install(Memory())
        _import_all()
    files = [each for each in seeds(only) if len(each.data) <= NBYTES_MAX]
    warnings.simplefilter("ignore")
    BRED.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(files):
        for more in range(2):
            way = (number * 7 + more * 11) % (1 << 16)
            _keep(way.to_bytes(_WAY_NBYTES, "little") + each.data)
    target = functools.partial(_read_one, files)
    arguments = [
        sys.argv[0],
        str(BRED),
        f"-max_len={NBYTES_MAX + _WAY_NBYTES}",
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-timeout={SILENCE_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={FINDINGS}/guided-",
        "-print_final_stats=1",
        "-len_control=0",
        "-reload=0",
    ]
    atheris.Setup(arguments, target, custom_mutator=functools.partial(_mutated, files))
    atheris.Fuzz()


def _import_all() -> None:
    """Import what is otherwise imported when it is first needed, so that it is instrumented."""
    package = importlib.import_module("hocket.parquet")
    for found in pkgutil.walk_packages(package.__path__, "hocket.parquet."):
        if not found.name.endswith(_NOT_IMPORTED):
            importlib.import_module(found.name)


def _keep(raw: bytes) -> None:
    path = BRED / hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    if not path.exists():
        path.write_bytes(raw)


def _mutated(files: list[Seed], raw: bytes, most: int, seed: int) -> bytes:
    """Return an input changed a little; libFuzzer calls this."""
    chance = random.Random(seed)  # noqa: S311
    way, data = bytearray(raw[:_WAY_NBYTES].ljust(_WAY_NBYTES, b"\0")), raw[_WAY_NBYTES:]
    if chance.random() < 0.15:
        way = bytearray(chance.randrange(1 << 16).to_bytes(_WAY_NBYTES, "little"))
    structured = _restructured(files, data, chance) if chance.random() < 0.7 else None
    if structured is None:
        changed = bytearray(data or chance.choice(files).data)
        for _ in range(chance.choice((1, 1, 2, 4))):
            change_bytes(changed, chance.randrange(max(len(changed), 1)), chance, files)
        structured = bytes(changed)
    return (bytes(way) + structured)[:most]


def _restructured(files: list[Seed], data: bytes, chance: random.Random) -> bytes | None:
    parts = dissected(data)
    if parts is None or not parts.chunks:
        return None
    try:
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            change_structure(parts, chance, files)
        return parts.written()
    except Exception:  # noqa: BLE001 - what was changed before can lack anything
        return None


_seen: Final[set[str]] = set()


def _read_one(files: list[Seed], raw: bytes) -> None:
    """Read an input; keep it if anything but a result or a `ParquetError` comes of it."""
    from hocket.parquet import ParquetError  # noqa: PLC0415 - after it was instrumented

    way, data = int.from_bytes(raw[:_WAY_NBYTES], "little"), raw[_WAY_NBYTES:]
    original = files[way % len(files)].data
    try:
        read(data, original, way)
    except ParquetError:
        return
    except Exception as error:  # noqa: BLE001 - each is a finding
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__}-{Path(frames[-1].filename).stem}{frames[-1].lineno}"
        if place not in _seen:
            _seen.add(place)
            _tell(place, data, way, traceback.format_exc())


def _tell(place: str, data: bytes, way: int, told: str) -> None:
    stem = FINDINGS / f"guided-{place}"
    stem.with_suffix(".parquet").write_bytes(data)
    about = f"way {way_name(way)} ({way % len(WAYS)}), number {way // len(WAYS)}"
    stem.with_suffix(".txt").write_text(f"{about}\n{told}\n", encoding="utf-8")
    print(f"FOUND {place}: {about}", flush=True)


def main(arguments: list[Any]) -> int:
    """Breed inputs, as `run` asks for it."""
    only, seconds, seed = arguments
    breed(only, int(seconds), int(seed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
