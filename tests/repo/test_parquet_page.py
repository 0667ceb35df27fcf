"""The page about Parquet keeps its word: its examples run in order, and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from workspace import ROOT

PAGE = ROOT / "docs" / "parquet.md"
#: An example, and what stands below it in a block of text.
EXAMPLE = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
SEPARATOR = "\x1e"


def examples() -> list[tuple[str, str]]:
    return [(code, promised or "") for code, promised in EXAMPLE.findall(PAGE.read_text("utf-8"))]


def test_every_block_of_text_stands_below_an_example():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("\n```text\n") == sum(1 for _, promised in examples() if promised)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_examples_print_what_stands_below_them(tmp_path):
    pytest.importorskip("dask.dataframe")
    script = tmp_path / "examples.py"
    script.write_text(
        "".join(f"{code}print({SEPARATOR!r}, end='', flush=True)\n" for code, _ in examples()),
        encoding="utf-8",
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    printed = ran.stdout.split(SEPARATOR)
    for (code, promised), told in zip(examples(), printed, strict=False):
        # pandas puts spaces at the ends of some lines.
        assert re.sub(r" +\n", "\n", told) == promised, f"{code}\n{ran.stderr}"
    assert (ran.returncode, ran.stderr) == (0, "")
