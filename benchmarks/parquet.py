"""The Parquet library beside pyarrow, polars and duckdb: each read in a fresh process, in turns.

``python3 tools/do.py bench parquet [--only REGEX] [--engines A,B] [--repeats N]``

The tables and the timing are those of ``../shared/bench``, if it is there; this adds our adapters
and prints ratios. Tables are made once, in the folder ``PQDATA`` (by default in the temporary
folder): 5 GB, three minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench"
DATA = Path(os.environ.setdefault("PQDATA", str(Path(tempfile.gettempdir()) / "pqdata")))

#: What is measured: reads to pandas, to the engine's own table, two columns, filters, footers;
#: writes from pandas.
TABLES = ("taxi", "lineitem", "lineitem_f64", "strings", "nested", "wide", "delta")
PANDAS_ENGINES = ("hocket2", "pyarrow2", "pyarrow_arrowdtype2", "polars2", "hocket1", "pyarrow1")
NATIVE_ENGINES = ("hocket2", "pyarrow2", "polars2", "hocket1", "pyarrow1", "polars1")
WRITERS = ("hocket2", "pyarrow2", "polars2", "duckdb2")
FOUR = ("hocket2", "pyarrow2", "polars2", "duckdb2")


def workloads() -> list[tuple[str, tuple[str, ...]]]:
    """Return the workloads, each with its engines."""
    found: list[tuple[str, tuple[str, ...]]] = [
        (f"read:{table}:{codec}", PANDAS_ENGINES)
        for codec in ("snappy", "zstd")
        for table in TABLES
    ]
    found += [(f"native:{table}:snappy", NATIVE_ENGINES) for table in TABLES]
    found += [(f"cols2:{table}:snappy", FOUR[:3]) for table in TABLES]
    found += [(f"filter_{kind}:taxi_rg100k:snappy", FOUR) for kind in ("time1pct", "zone")]
    found += [(f"meta:{table}:snappy", FOUR) for table in ("wide_50rg", "taxi_rg100k")]
    found += [
        (f"write:{table}:{codec}", WRITERS) for codec in ("snappy", "zstd") for table in TABLES[:-1]
    ]
    return [*found, ("read:wide_50rg:snappy", FOUR[:3])]


def bench_module() -> Any:
    """Return the shared benchmark with our engines in it."""
    if not (BENCH / "parquet_bench.py").exists():
        raise SystemExit("left out: there is no bench/parquet_bench.py beside this repository")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(BENCH))
    module: Any = importlib.import_module("parquet_bench")

    class Hocket:
        def __init__(self, threads: int, _module: str = "") -> None:
            self.module: Any = importlib.import_module("hocket.parquet")
            self.threads = threads

        def _file(self, path: str) -> Any:
            return self.module.ParquetFile(path, threads=self.threads)

        def open(self, path: str) -> tuple[int, int]:
            file = self._file(path)
            return len(file.columns), len(file)

        def read_native(self, path: str, columns: Any = None, filters: Any = None) -> Any:
            return self._file(path).to_arrow(columns=columns, filters=filters)

        def read_pandas(self, path: str, columns: Any = None, filters: Any = None) -> Any:
            return self._file(path).to_pandas(columns=columns, filters=filters or [])

        def write(self, frame: Any, path: str, codec: str) -> None:
            compression = None if codec == "none" else codec
            self.module.write(path, frame, compression=compression, threads=self.threads)

    for threads in (1, 2):
        module.ENGINES[f"hocket{threads}"] = (Hocket, threads, "hocket.parquet")
    return module


def make_tables() -> None:
    """Make the tables that are not there yet."""
    if not (DATA / "wide_50rg.snappy.parquet").exists():
        DATA.mkdir(parents=True, exist_ok=True)
        print(f"making tables in {DATA}", flush=True)
        subprocess.run([sys.executable, str(BENCH / "parquet_gen.py")], check=False)


def measure(engine: str, workload: str, repeats: int) -> dict[str, Any]:
    """Return what one engine needs for one workload, in a process of its own."""
    program = [sys.executable, __file__, "--one", engine, workload, str(repeats)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        return {"error": f"ended with {done.returncode}: {done.stderr[-200:]}"}
    result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return result


def cold_start(repeats: int) -> None:
    """Print how long a fresh process takes to a small frame."""
    path = str(DATA / "small.snappy.parquet")
    programs = {
        "hocket": f"import hocket.parquet as m; df = m.ParquetFile({path!r}).to_pandas()",
        "pyarrow": f"import pyarrow.parquet as m; df = m.read_table({path!r}).to_pandas()",
        "polars": f"import polars as m; df = m.read_parquet({path!r}).to_pandas()",
        "pandas": f"import pandas as m; df = m.read_parquet({path!r})",
    }
    module = bench_module()
    print("\ncold process to a frame of 10,000 rows:")
    for name, code in programs.items():
        timed = module.timed_proc(code, repeats + 1)
        print(f"  {name:10}{timed.get('median_s', float('nan')) * 1e3:8.0f} ms")


def shown(result: dict[str, Any]) -> str:
    """Return a result as a cell: time, and peak memory as a multiple of the result's."""
    if "error" in result:
        return "fails"
    seconds = result["median_s"]
    text = f"{seconds * 1e3:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
    peak = result.get("rss_peak", 0) - result.get("rss_before", 0)
    size = result.get("result_bytes") or 0
    return f"{text} ({peak / size:.2f}x)" if size > 1e7 else text


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--one"]:
        bench_module().one(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a regular expression for workloads")
    parser.add_argument("--engines", default="", help="names of engines, with commas")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", help="a file for all figures, a JSON object a line")
    options = parser.parse_args()
    bench_module()
    make_tables()
    chosen = set(filter(None, options.engines.split(",")))
    for workload, engines in workloads():
        if not re.search(options.only, workload):
            continue
        print(f"\n{workload}", flush=True)
        times = {}
        for engine in engines:
            if chosen and engine not in chosen:
                continue
            result = measure(engine, workload, options.repeats)
            times[engine] = result.get("median_s")
            if options.out:
                with Path(options.out).open("a", encoding="utf-8") as file:
                    file.write(
                        json.dumps({"engine": engine, "workload": workload, **result}) + "\n"
                    )
            ours = times.get("hocket1" if engine.endswith("1") else "hocket2")
            ratio = f"{times[engine] / ours:6.2f} times ours" if times[engine] and ours else ""
            error = result.get("error", "")
            print(f"  {engine:22}{shown(result):>20}  {ratio}{error}", flush=True)
    if re.search(options.only, "cold"):
        cold_start(5)


if __name__ == "__main__":
    main()
