"""The state of things as plain data: all of it, and no secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hocket.client import Client
from hocket.core.settings import SecuritySettings
from hocket.protocol.messages import (
    ExplainKeys,
    Explanation,
    KeysExplained,
    ListTasks,
    TaskPlace,
    TasksListed,
)


def test_all_there_is_but_no_secret(scheduler: Any, tmp_path: Path) -> None:
    keys = {TaskPlace.HELD: ["held"], TaskPlace.ASSIGNED: ["running"]}
    scheduler.answers[ListTasks] = lambda message: TasksListed(
        message.request, ["tcp://w:1"], [keys[message.place]]
    )
    scheduler.answers[ExplainKeys] = lambda message: KeysExplained(
        message.request, [Explanation(key, "queued", "no worker is here") for key in message.keys]
    )
    secret = "a secret that is long enough for anybody"
    settings = replace(scheduler.settings, security=SecuritySettings(secret=secret))
    path = tmp_path / "dump.json"
    with Client(scheduler.address, settings=settings, secret="") as client:
        done = client.submit(abs, -1)
        assert done.result(timeout=10) == 1
        scheduler.held = True
        pending = client.submit(abs, -2)
        found = client.dump(path)
        assert found["client"]["futures"] == {"finished": 1, "pending": 1}
        assert found["client"]["pending"] == [pending.key]
        assert "no worker is here" in found["why"][pending.key]
        assert found["holds"] == {"tcp://w:1": ["held"]}
        assert found["processing"] == {"tcp://w:1": ["running"]}
        assert len(found["scheduler"]["workers"]) == 2
        text = path.read_text()
        assert json.loads(text).keys() == found.keys()
        assert secret not in text
        assert secret not in repr(found)
