"""The example of the page about GPUs runs as it stands there, without any card."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "gpus.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/gpus.md", "exec"), {"__name__": "__main__"})
