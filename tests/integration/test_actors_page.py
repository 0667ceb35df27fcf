"""The examples of the page about actors run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import hocket.client
from hocket.client import Client
from hocket.deploy import LocalCluster

PAGE = (Path(__file__).parents[2] / "docs" / "actors.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # (A cluster of its own for each example would take long.)
    monkeypatch.setattr(hocket.client, "Client", lambda: Client(cluster))
    names: dict[str, Any] = {"__name__": "__main__"}
    assert len(BLOCKS) >= 5
    for block in BLOCKS:
        exec(compile(block, "docs/actors.md", "exec"), names)
        names["Client"] = lambda: Client(cluster)
    with Client(cluster) as client:
        ledger = client.actor(names["Ledger"])
        assert names["enter_once_more"](ledger, "a") == 1
