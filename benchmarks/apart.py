"""Measurements in processes of their own, of hocket and its peers in turn, and their table.

The peers live in an environment of their own, which ``tools/do.py bench NAME`` makes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

__all__ = ["PEERS_PYTHON", "engines_there", "print_table", "python_of", "run_apart"]

PEERS_PYTHON: Final = Path(__file__).parent.parent / ".venvs" / "peers" / "bin" / "python"
#: What this environment has.
_AT_HOME: Final = ("hocket", "pool")


def python_of(engine: str) -> str:
    """Return the interpreter that an engine is installed for: that of the peers, or this one."""
    if engine in _AT_HOME or not PEERS_PYTHON.exists():
        return sys.executable
    return str(PEERS_PYTHON)


def engines_there(engines: str, module: str = "distributed") -> list[str]:
    """Return those of some engines, named with commas, that can be run; tell of the others."""
    wanted = engines.split(",")
    if PEERS_PYTHON.exists() or importlib.util.find_spec(module) is not None:
        return wanted
    left_out = [one for one in wanted if one not in _AT_HOME]
    if left_out:
        print(f"left out: {', '.join(left_out)} (make their environment: tools/do.py bench NAME)")
    return [one for one in wanted if one in _AT_HOME]


def run_apart(engine: str, program: str, *arguments: str, timeout_s: float = 600) -> Any:
    """Run a program with an engine's interpreter; return the JSON of its last line."""
    done = subprocess.run(
        [python_of(engine), program, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} on {engine} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def print_table(
    title: str,
    columns: list[str],
    names: Iterable[str],
    row_of: Callable[[str], str],
    file: str | None,
) -> None:
    """Print a table in Markdown row by row, as it is measured, and write it to a file, too.

    The first two columns are words, the others figures.
    """
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        f"{title[0].upper()}{title[1:]}; {machine}.",
        "",
        "| " + " | ".join(columns) + " |",
        "|---|---|" + "---:|" * (len(columns) - 2),
    ]
    print("\n".join(lines), flush=True)
    for name in names:
        lines.append(row_of(name))
        print(lines[-1], flush=True)
    if file:
        Path(file).write_text("\n".join(lines) + "\n")
