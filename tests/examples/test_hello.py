"""The smallest example, as people run it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_hello_says_what_it_computed(examples, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(examples / "hello.py")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    told = "0 1 4 9 16 25 36 49 64 81 add up to 285\n"
    assert (ran.stdout, ran.stderr, ran.returncode) == (told, "", 0)
