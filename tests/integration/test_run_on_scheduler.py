"""Functions that the settings permit, called in the scheduler's process."""

from __future__ import annotations

import operator

import pytest

from hocket.client import Client
from hocket.core.errors import SerializationError, SettingsError, TaskFailed
from hocket.deploy import LocalCluster


def test_what_is_permitted_runs_there_and_nothing_else() -> None:
    settings = {"scheduler.permitted_functions": "os:getpid, _operator:truediv,operator:add"}
    with LocalCluster(1, 1, settings=settings) as cluster, Client(cluster) as client:
        assert client.run_on_scheduler("os:getpid") == cluster.scheduler_pid
        assert client.run_on_scheduler(operator.truediv, 1, 4) == 0.25
        assert client.run_on_scheduler("operator:add", (1,), [2]) == [1, 2]
        with pytest.raises(TaskFailed, match="division by zero"):
            client.run_on_scheduler(operator.truediv, 1, 0)
        with pytest.raises(SettingsError, match=r"'os:getppid'.*os:getpid"):
            client.run_on_scheduler("os:getppid")
        with pytest.raises(SerializationError, match="plain data"):
            client.run_on_scheduler(operator.truediv, object(), 1)
        for unnamed in (lambda: 1, "os.getpid", "os:", ""):
            with pytest.raises(TypeError, match="imported"):
                client.run_on_scheduler(unnamed)
