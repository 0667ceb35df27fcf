"""The examples of the page about streams run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import hocket.client
from hocket.client import Client
from hocket.deploy import LocalCluster

PAGE = (Path(__file__).parents[2] / "docs" / "streams.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # (A cluster of its own for each example would take long.)
    with LocalCluster(2, 1, processes=False) as cluster:

        def connect(**options: Any) -> Client:
            return Client(cluster, **options)

        monkeypatch.setattr(hocket.client, "Client", connect)
        names: dict[str, Any] = {"__name__": "__main__"}
        assert len(BLOCKS) >= 5
        for block in BLOCKS:
            exec(compile(block, "docs/streams.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["0", "1", "4", "9"]
    assert [line.partition("[")[2][:2] for line in lines] == ["0]", "1]", "2]", "3]"]
