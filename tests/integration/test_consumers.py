"""Event consumers beside a scheduler: processes that the settings name, and that slow nobody."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client, EventConsumer
from hocket.deploy import LocalCluster
from hocket.protocol.messages import Snapshot
from hocket.protocol.messages.feed import EventKinds, TaskEnded

pytestmark = pytest.mark.slow

PLACE = "TEST_CONSUMER_NOTES"


class Diary(EventConsumer):
    """Writes what it hears into a file."""

    kinds = EventKinds.TASKS

    def __init__(self) -> None:
        self._path = Path(os.environ[PLACE])

    def _note(self, **facts: Any) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(facts) + "\n")

    def begin(self, snapshot: Snapshot) -> None:
        self._note(begun=snapshot.address, pid=os.getpid())

    def consume(self, events: Sequence[Any], dropped: int) -> None:
        ended = [event for event in events if isinstance(event, TaskEnded)]
        self._note(tasks=len(ended), dropped=dropped)

    def end(self, reason: str) -> None:
        self._note(ended=reason)


def notes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_consumer_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes"
    monkeypatch.setenv(PLACE, str(path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    settings = {"scheduler.consumers": "test_consumers:Diary, no.such:Thing"}
    with LocalCluster(1, 1, settings=settings) as cluster, Client(cluster) as client:
        while not notes(path):
            time.sleep(0.02)
        begun = notes(path)[0]
        assert begun["begun"] == cluster.address
        assert begun["pid"] not in (cluster.scheduler_pid, os.getpid())
        client.gather(client.map(abs, range(50)))
        while sum(one.get("tasks", 0) for one in notes(path)) < 50:
            time.sleep(0.02)
    assert "closing" in notes(path)[-1]["ended"]
    assert "scheduler.consumers" in (said := capfd.readouterr().err)
    assert "no.such" in said


def test_one_of_a_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes"
    monkeypatch.setenv(PLACE, str(path))
    with LocalCluster(1, 1, processes=False) as cluster, Client(cluster) as client:
        client.register_plugin(Diary())
        client.gather(client.map(abs, range(50)))
        while sum(one.get("tasks", 0) for one in notes(path)) < 50:
            time.sleep(0.02)
    while "ended" not in notes(path)[-1]:
        time.sleep(0.02)
