"""Where a worker lives."""

from __future__ import annotations

import os
import tempfile

import psutil
import pytest

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings, WorkerSettings
from hocket.worker.shell import Worker
from hocket.worker.shell.place import DataPlace, _beside, memory_limit_of, threads_count_of


@pytest.mark.parametrize(
    ("scheduler", "start"),
    [
        ("inproc://scheduler", "inproc://worker-"),
        ("unix:///run/scheduler", "unix:///"),
        ("tcp://127.0.0.1:8786", "unix:///"),
        ("tcp://[::1]:8786", "unix:///"),
    ],
)
def test_data_is_served_where_the_others_are(scheduler, start):
    place = DataPlace(scheduler)
    assert place.address.startswith(start)
    place.close()
    place.close()
    assert DataPlace("inproc://x").address != DataPlace("inproc://x").address


def test_data_is_served_on_the_interface_that_leads_to_the_scheduler(monkeypatch):
    # An address for documentation (RFC 5737): nothing is sent to it.
    host = "192.0.2.1"
    monkeypatch.setattr("hocket.worker.shell.place._host_towards", lambda scheduler: host)
    place = DataPlace("tcp://scheduler:8786")
    unix, network = place.address.split(",")
    assert unix.startswith("unix:///")
    assert network == place.calls_address == f"tcp://{host}:0"
    place.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (WorkerSettings(host="node7", port="9000-9010"), "tcp://node7:9000-9010"),
        (WorkerSettings(host="fd00::7"), "tcp://[fd00::7]:0"),
        (WorkerSettings(host="0.0.0.0"), "tcp://0.0.0.0:0"),
    ],
)
def test_data_is_also_served_where_the_settings_say(settings, expected):
    place = DataPlace("tcp://127.0.0.1:8786", settings)
    assert place.address.split(",")[1] == expected
    place.close()


def test_an_interface_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(SettingsError, match="it must be one of this host's"):
        DataPlace("tcp://127.0.0.1:8786", WorkerSettings(interface="nothing0"))


def test_a_path_that_is_too_long_for_a_socket(monkeypatch, tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert DataPlace("tcp://127.0.0.1:8786").address == "tcp://127.0.0.1:0"
    assert list(deep.iterdir()) == []


def test_threads():
    assert threads_count_of(3) == 3
    assert 1 <= threads_count_of(0) == threads_count_of(None) <= (os.cpu_count() or 1)


def test_memory_limits():
    assert memory_limit_of(1000, 1) == 1000
    assert memory_limit_of(None, 1) == memory_limit_of(0, 1) == 0
    total = psutil.virtual_memory().total
    assert memory_limit_of("auto", os.cpu_count() or 1) == total
    assert memory_limit_of("auto", 10_000) == total


def test_a_worker_names_itself():
    worker = Worker("inproc://nobody", name="ann", settings=Settings())
    assert repr(worker) == "<Worker 'ann' at no address yet>"


@pytest.mark.parametrize(
    ("data", "calls"),
    [
        ("inproc://worker-1", "inproc://worker-1-calls"),
        ("unix:///tmp/x/data", "unix:///tmp/x/data-calls"),
        ("unix:///tmp/x/data,tcp://10.0.0.1:0", "tcp://10.0.0.1:0"),
        ("tcp://10.0.0.1:9000", "tcp://10.0.0.1:9001"),
        ("tcp://[::1]:9000-9100", "tcp://[::1]:9000-9100"),
    ],
)
def test_calls_of_actors_come_in_beside_the_data(data, calls):
    assert _beside(data) == calls
