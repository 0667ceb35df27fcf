"""Pages whose examples belong together: they run in order, and print what stands below them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from workspace import ROOT

#: Each page, and what it needs beside hocket.
PAGES = {
    "parquet.md": ["dask.dataframe"],
    "tutorial.md": ["dask.array", "joblib"],
}
#: An example, and what stands below it in a block of text.
EXAMPLE = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
SEPARATOR = "\x1e"


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def examples(page: str) -> list[tuple[str, str]]:
    return [(code, promised or "") for code, promised in EXAMPLE.findall(text_of(page))]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_text_stands_below_an_example(page):
    promises = sum(1 for _, promised in examples(page) if promised)
    assert text_of(page).count("\n```text\n") == promises


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_print_what_stands_below_them(page, tmp_path):
    for needed in PAGES[page]:
        pytest.importorskip(needed)
    script = tmp_path / "examples.py"
    script.write_text(
        "".join(f"{code}print({SEPARATOR!r}, end='', flush=True)\n" for code, _ in examples(page)),
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
    for (code, promised), told in zip(examples(page), printed, strict=False):
        # pandas puts spaces at the ends of some lines.
        assert re.sub(r" +\n", "\n", told) == promised, f"{code}\n{ran.stderr}"
    assert (ran.returncode, ran.stderr) == (0, "")
