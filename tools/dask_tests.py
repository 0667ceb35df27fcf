"""dask's own tests of its collections, run on hocket: ``python3 tools/do.py dask``.

    dask_tests.py [--threads] [FILES OR NODE IDS ...] [PYTEST OPTIONS ...]

Takes the test files that dask installs with itself and runs them with every scheduler of dask's
replaced by one client of one local cluster: two worker processes, or threads of this process with
--threads. Files are named from dask's folder on (``array/tests/test_rechunk.py``); without any, all
of ``FILES`` are run. At the end stands how many graphs the cluster computed for each file. Tests
that cannot pass on any cluster of processes stand in ``dask_tests_expected.txt`` with the reason;
one of those that passes all the same is told as well.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.base
import pytest

from hocket.client import Client
from hocket.deploy import LocalCluster

FILES = (
    "array/tests/test_api.py",
    "array/tests/test_array_core.py",
    "array/tests/test_array_function.py",
    "array/tests/test_atop.py",
    "array/tests/test_creation.py",
    "array/tests/test_fft.py",
    "array/tests/test_gufunc.py",
    "array/tests/test_linalg.py",
    "array/tests/test_map_blocks.py",
    "array/tests/test_masked.py",
    "array/tests/test_optimization.py",
    "array/tests/test_overlap.py",
    "array/tests/test_percentiles.py",
    "array/tests/test_random.py",
    "array/tests/test_rechunk.py",
    "array/tests/test_reductions.py",
    "array/tests/test_reshape.py",
    "array/tests/test_routines.py",
    "array/tests/test_shuffle.py",
    "array/tests/test_slicing.py",
    "array/tests/test_stats.py",
    "array/tests/test_ufunc.py",
    "array/tests/test_wrap.py",
    "array/tests/test_xarray.py",
    "bag/tests/test_bag.py",
    "bag/tests/test_random.py",
    "bag/tests/test_text.py",
    "dataframe/dask_expr/tests/test_align_partitions.py",
    "dataframe/dask_expr/tests/test_collection.py",
    "dataframe/dask_expr/tests/test_concat.py",
    "dataframe/dask_expr/tests/test_cumulative.py",
    "dataframe/dask_expr/tests/test_fusion.py",
    "dataframe/dask_expr/tests/test_groupby.py",
    "dataframe/dask_expr/tests/test_indexing.py",
    "dataframe/dask_expr/tests/test_map_partitions_overlap.py",
    "dataframe/dask_expr/tests/test_merge.py",
    "dataframe/dask_expr/tests/test_merge_asof.py",
    "dataframe/dask_expr/tests/test_quantiles.py",
    "dataframe/dask_expr/tests/test_reductions.py",
    "dataframe/dask_expr/tests/test_repartition.py",
    "dataframe/dask_expr/tests/test_reshape.py",
    "dataframe/dask_expr/tests/test_rolling.py",
    "dataframe/dask_expr/tests/test_shuffle.py",
    "dataframe/dask_expr/tests/test_string_accessor.py",
    "dataframe/tests/test_arithmetics_reduction.py",
    "dataframe/tests/test_categorical.py",
    "dataframe/tests/test_dataframe.py",
    "dataframe/tests/test_groupby.py",
    "dataframe/tests/test_indexing.py",
    "dataframe/tests/test_multi.py",
    "dataframe/tests/test_reshape.py",
    "dataframe/tests/test_rolling.py",
    "dataframe/tests/test_shuffle.py",
    "dataframe/tests/test_ufunc.py",
    "tests/test_base.py",
    "tests/test_composite_expr.py",
    "tests/test_delayed.py",
    "tests/test_graph_manipulation.py",
    "tests/test_hlgexpr.py",
    "tests/test_highgraph.py",
    "tests/test_layers.py",
)

#: Test, a bar, and why it fails on a cluster; a line each.
EXPECTED = Path(__file__).with_name("dask_tests_expected.txt")

#: Names of dask's schedulers that our client takes the place of.
REPLACED = ("sync", "synchronous", "single-threaded", "threads", "threading", "processes")

_FOLDER = Path(dask.__file__).parent


class CountingClient(Client):
    """Counts the graphs that it computes."""

    def __init__(self, cluster: LocalCluster, count: Callable[[], None]) -> None:
        super().__init__(cluster, set_as_default=True)
        self._count = count

    def get(self, *arguments: Any, **options: Any) -> Any:
        """Compute, and count."""
        self._count()
        return super().get(*arguments, **options)


class OnHocket:
    """A pytest plugin: dask computes with a client of ours, whatever scheduler a test names."""

    def __init__(self, *, processes: bool) -> None:
        self._processes = processes
        self._expected = _read_expected()
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._test = ""
        #: Graphs computed, by file.
        self.graphs: Counter[str] = Counter()
        #: Tests that pass though they were not expected to.
        self.surprising: list[str] = []

    def pytest_sessionstart(self) -> None:
        """Start the cluster."""
        self._cluster = LocalCluster(2, 1, processes=self._processes)
        self._client = CountingClient(self._cluster, self._count)
        for name in REPLACED:
            dask.base.named_schedulers[name] = self._client.get

    def _count(self) -> None:
        self.graphs[self._test.partition("::")[0]] += 1

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests that are expected to fail."""
        for item in items:
            name = _short(item.nodeid)
            reason = self._expected.get(name) or self._expected.get(name.partition("[")[0])
            if reason:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note which test runs."""
        self._test = _short(item.nodeid)
        yield

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that is better than expected."""
        if report.when == "call" and report.passed and hasattr(report, "wasxfail"):
            name = _short(report.nodeid)
            if name in self._expected:
                self.surprising.append(name)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell what the cluster did."""
        write = terminalreporter.write_line
        terminalreporter.section("on hocket")
        for file, count in sorted(self.graphs.items()):
            write(f"{count:7} graphs  {file}")
        for name in self.surprising:
            write(f"passes though it is in {EXPECTED.name}: {name}")

    def pytest_sessionfinish(self) -> None:
        """End the cluster."""
        if self._client is not None:
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _read_expected() -> dict[str, str]:
    expected = {}
    for line in EXPECTED.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(" | ")
            expected[name.strip()] = reason.strip()
    return expected


def _short(name: str) -> str:
    """Return a test's name from dask's folder on."""
    return name.rpartition("site-packages/dask/")[2]


def main(arguments: list[str]) -> int:
    """Run the tests; return pytest's exit code."""
    processes = "--threads" not in arguments
    arguments = [one for one in arguments if one != "--threads"]
    chosen = [one for one in arguments if ".py" in one]
    options = [one for one in arguments if ".py" not in one]
    files = [str(_FOLDER / one) for one in chosen or FILES]
    return pytest.main(
        [
            *("-c", "/dev/null", f"--rootdir={_FOLDER.parent.parent}", "-p", "no:cacheprovider"),
            *("--import-mode=prepend", "-q", "--timeout=600", "--no-header", "-W", "default"),
            *("-o", "xfail_strict=false", "--disable-warnings"),
            *options,
            *files,
        ],
        plugins=[OnHocket(processes=processes)],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
