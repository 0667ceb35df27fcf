"""hocket against its peers: the same workloads in turn, in one run, as medians and ratios.

``python benchmarks/engines.py [--rounds N] [--workloads A,B] [--engines X,Y] [--scale F]
[--markdown FILE]``. The peers live in an environment of their own, which ``tools/do.py bench
engines`` makes; without it they are left out with a word.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from workloads import WORKERS, WORKLOADS

PEERS_PYTHON = HERE.parent / ".venvs" / "peers" / "bin" / "python"
TIMEOUT_S = 600
#: dask takes its time; it runs this share of the tasks (rates do not depend on it much).
PEER_SHARE = {"dask": 0.2, "dask-eager": 0.2}


def run_once(engine: str, workload: str, n: int) -> dict[str, float | None]:
    """Run one workload on one engine in a process of its own."""
    python = sys.executable if engine in ("hocket", "pool") else str(PEERS_PYTHON)
    done = subprocess.run(
        [python, str(HERE / "workloads.py"), engine, workload, str(n)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode:
        raise SystemExit(f"{workload} on {engine} failed:\n{done.stderr[-3000:]}")
    result: dict[str, float | None] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(figure: float, unit: str) -> str:
    """Format a figure for the table."""
    return f"{figure:.2f} s" if unit == "s" else f"{figure:,.0f}"


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workloads", default="start-up," + ",".join(WORKLOADS))
    parser.add_argument("--engines", default="hocket,dask,dask-eager,pool")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual task counts")
    parser.add_argument("--markdown", help="write the table to this file, too")
    options = parser.parse_args()
    engines = options.engines.split(",")
    if not PEERS_PYTHON.exists():
        left_out = [one for one in engines if one not in ("hocket", "pool")]
        if left_out:
            print(f"left out: {', '.join(left_out)} (run `python tools/do.py bench engines`)")
            engines = [one for one in engines if one not in left_out]
    lines = [
        "| workload | unit | " + " | ".join(engines) + " | hocket / dask |",
        "|---|---|" + "---:|" * (len(engines) + 1),
    ]
    cpu_lines = []
    for workload in options.workloads.split(","):
        _, n, unit = WORKLOADS.get(workload, (None, 1, "s"))
        n = max(1, int(n * options.scale))
        figures: dict[str, list[float]] = {one: [] for one in engines}
        cpus: dict[str, list[float]] = {one: [] for one in engines}
        for _ in range(options.rounds):
            for engine in engines:
                if engine == "pool" and workload in ("empty-lambda", "chains", "tree", "shuffle"):
                    continue
                share = PEER_SHARE.get(engine, 1.0) if unit == "tasks/s" else 1.0
                result = run_once(engine, workload, max(1, int(n * share)))
                assert result["figure"] is not None
                figures[engine].append(result["figure"])
                if result["cpu_us"] is not None:
                    cpus[engine].append(result["cpu_us"])
        medians = {one: statistics.median(each) for one, each in figures.items() if each}
        cells = [show(medians[one], unit) if one in medians else "-" for one in engines]
        ratio = f"{medians['hocket'] / medians['dask']:.3g}" if "dask" in medians else "-"
        lines.append(f"| {workload} | {unit} | " + " | ".join(cells) + f" | {ratio} |")
        print(lines[-1], flush=True)
        if any(cpus.values()):
            cells = [f"{statistics.median(cpus[one]):.0f}" if cpus[one] else "-" for one in engines]
            cpu_lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    table = "\n".join(
        [
            (
                f"{WORKERS} workers of one thread, {os.cpu_count()} cores, Python"
                f" {platform.python_version()}; medians of {options.rounds} rounds, in turn."
            ),
            "",
            *lines,
            "",
            "CPU per task over all processes of the run, in microseconds:",
            "",
            "| workload | " + " | ".join(engines) + " |",
            "|---|" + "---:|" * len(engines),
            *cpu_lines,
        ]
    )
    print("\n" + table)
    if options.markdown:
        Path(options.markdown).write_text(table + "\n")


if __name__ == "__main__":
    main()
