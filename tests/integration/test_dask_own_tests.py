"""A few files of dask's own tests, run on hocket; all of them: ``python3 tools/do.py dask``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "dask_tests.py"

FILES = (
    "array/tests/test_atop.py",
    "bag/tests/test_random.py",
    "dataframe/dask_expr/tests/test_align_partitions.py",
    "tests/test_hlgexpr.py",
)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_tests_of_dask_pass_on_two_processes(tmp_path):
    for name in ("dask.array", "dask.dataframe", "dask.bag"):
        pytest.importorskip(name)
    ran = subprocess.run(
        [sys.executable, str(TOOL), *FILES],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    passed = re.search(r"^(\d+) passed", ran.stdout, flags=re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= 80
    graphs = re.findall(r"^ +(\d+) graphs  (\S+)$", ran.stdout, flags=re.MULTILINE)
    assert {file for _, file in graphs} >= set(FILES[:2])
