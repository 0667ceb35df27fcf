"""Tables for ``docs/benchmarks.md`` of what ``bench parquet --out FILE`` has measured.

``python3 tools/do.py bench parquet_report FILE``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_NAMES = {
    "hocket": "hocket",
    "pyarrow": "pyarrow",
    "pyarrow_arrowdtype": "pyarrow, Arrow dtypes",
    "polars": "polars",
    "duckdb": "DuckDB",
}
_HEADINGS = {
    "read": "To pandas",
    "native": "To Arrow, or the engine's own table",
    "cols2": "Two columns, to pandas",
    "filter": "Filtered, to pandas",
    "meta": "Opening",
    "write": "Writing from pandas (time, size of the file)",
}


def shown(result: dict[str, Any]) -> str:
    """Return a measurement as a cell: its time, and of a written file its size."""
    if "median_s" not in result:
        return "fails"
    seconds = result["median_s"]
    text = f"{seconds * 1e3:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
    if result["workload"].startswith("write:"):
        return f"{text}, {result['file_bytes'] / 1e6:.0f} MB"
    result_nbytes = result.get("result_bytes") or 0
    if result_nbytes > 1e7 and result["engine"] == "hocket":
        text += f" ({(result['rss_peak'] - result['rss_before']) / result_nbytes:.2f}x)"
    return text


def table(results: list[dict[str, Any]]) -> list[str]:
    """Return the lines of one table: a workload a row, an engine a column."""
    columns = list(dict.fromkeys((each["threads"], each["engine"]) for each in results))
    columns.sort(key=lambda each: (-each[0], list(_NAMES).index(each[1])))
    heads = [f"{_NAMES[name]}, {'2 threads' if many > 1 else '1'}" for many, name in columns]
    lines = ["| table | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for workload in dict.fromkeys(each["workload"] for each in results):
        cells = {
            (each["threads"], each["engine"]): each
            for each in results
            if each["workload"] == workload
        }
        row = [shown(cells[column]) if column in cells else "" for column in columns]
        kind, name, codec = workload.split(":")
        label = f"{name}, {codec}" + (f" ({kind.removeprefix('filter_')})" if "_" in kind else "")
        lines.append(f"| {label} | " + " | ".join(row) + " |")
    return lines


def main() -> None:
    """Print the tables, the newest measurement of each cell."""
    newest: dict[tuple[str, int, str], dict[str, Any]] = {}
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        if "threads" in each:
            newest[each["engine"], each["threads"], each["workload"]] = each
    for kind, heading in _HEADINGS.items():
        chosen = [each for each in newest.values() if each["workload"].startswith(kind)]
        if chosen:
            print(f"**{heading}**\n", *table(chosen), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
