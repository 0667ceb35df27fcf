"""The example of scikit-learn, as people run it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_search_finds_the_best(examples, tmp_path):
    pytest.importorskip("sklearn")
    ran = subprocess.run(
        [sys.executable, str(examples / "digits_search.py")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=55,
    )
    told = "1797 images of digits, 18 fits\nbest: {'C': 10, 'gamma': 0.001}, right for 97.6%\n"
    assert (ran.stdout, ran.stderr, ran.returncode) == (told, "", 0)
