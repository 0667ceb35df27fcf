"""The README's examples of graphs: they run, and print what they say."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
SECTION = README.read_text(encoding="utf-8").partition("## Graphs")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"```python\n(.*?)```\n+(?:```text\n(.*?)```)?", SECTION, re.DOTALL)


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_an_example_prints_what_it_says(code, output, monkeypatch):
    if "dask" in code:
        pytest.importorskip("dask.array")
    printed = io.StringIO()
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(README), "exec"), {"__name__": "__main__"})
    assert printed.getvalue() == output
