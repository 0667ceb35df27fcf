"""GPUs that no batch system assigned: no two workers of a host have one, and the dead have none."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.core.settings import WorkerSettings
from hocket.worker.gpus import Choice
from hocket.worker.shell import gpu_locks
from hocket.worker.shell.gpu_locks import lock_directory, take_gpus
from hocket.worker.shell.gpu_places import find_gpus

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="locks as on POSIX")


@pytest.fixture
def directory(tmp_path):
    return make_directory(tmp_path)


def make_directory(path):
    """Return the settings of workers that agree on a directory, and wait for nobody."""
    return WorkerSettings(gpu_lock_directory=str(path), gpu_wait_s=0.0)


@pytest.fixture(autouse=True)
def no_locks(monkeypatch):
    """Give back what a test has locked."""
    held = []
    monkeypatch.setattr(gpu_locks, "_held", held)
    yield held
    for descriptor in held:
        os.close(descriptor)


def take(settings, names, count, holder="process 7 of job 12"):
    return take_gpus(Choice(list(names), count), settings, holder=holder)


def test_each_gets_what_is_free_in_the_order_of_names(directory):
    assert take(directory, ["3", "1", "2"], 1) == ["3"]
    assert take(directory, ["3", "1", "2"], 2) == ["1", "2"]
    assert take(directory, ["3", "1", "2"], 0) == []


def test_who_has_what_is_wanted_is_named(directory):
    take(directory, ["a", "b"], 2)
    with pytest.raises(SettingsError) as caught:
        take(directory, ["a", "b", "c"], 2)
    text = str(caught.value)
    assert "1 of 3 are free, and 2 wanted" in text
    assert "a is held by process 7 of job 12 since 20" in text
    # It keeps nothing of it.
    assert take(directory, ["c"], 1) == ["c"]


def test_who_wants_all_that_are_free_may_get_none(directory):
    assert take(directory, ["a", "b"], 1) == ["a"]
    assert take(directory, ["a", "b"], None) == ["b"]
    assert take(directory, ["a", "b"], None) == []


def test_who_has_to_wait_gets_it_once_it_is_free(tmp_path, no_locks, monkeypatch):
    settings = WorkerSettings(gpu_lock_directory=str(tmp_path), gpu_wait_s=1000.0)
    take(settings, ["a"], 1)
    waits = []

    def wait(delay_s):
        waits.append(delay_s)
        if len(waits) == 3:
            os.close(no_locks.pop())

    monkeypatch.setattr(gpu_locks, "sleep", wait)
    assert take(settings, ["a"], 1) == ["a"]
    assert len(waits) == 3


LOCKER = """
import sys
from hocket.core.settings import WorkerSettings
from hocket.worker.gpus import Choice
from hocket.worker.shell.gpu_locks import take_gpus

settings = WorkerSettings(gpu_lock_directory=sys.argv[1], gpu_wait_s=0.0)
print(take_gpus(Choice(["a", "b"], 1), settings, holder="the other"), flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_process_that_is_killed_holds_nothing(directory):
    with subprocess.Popen(
        [sys.executable, "-c", LOCKER, directory.gpu_lock_directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "['a']\n"
        with pytest.raises(SettingsError, match="a is held by the other since"):
            take(directory, ["a"], 1)
        assert take(directory, ["a", "b"], 1) == ["b"]
        other.kill()
        other.wait()
    assert take(directory, ["a", "b"], 1) == ["a"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_no_two_ever_have_one(tmp_path_factory, steps):
    settings = make_directory(tmp_path_factory.mktemp("locks"))
    names = ["a", "b", "c", "d"]
    free = set(names)
    holders = []
    held = gpu_locks._held
    for is_taken, count, which in steps:
        if not is_taken:
            if holders:
                descriptors, taken = holders.pop(which % len(holders))
                for descriptor in descriptors:
                    held.remove(descriptor)
                    os.close(descriptor)
                free |= set(taken)
            continue
        before = set(held)
        if count > len(free):
            with pytest.raises(SettingsError):
                take(settings, names, count)
            assert set(held) == before
            continue
        taken = take(settings, names, count)
        assert taken == [name for name in names if name in free][:count]
        free -= set(taken)
        holders.append(([one for one in held if one not in before], taken))
    while held:
        os.close(held.pop())


def test_a_device_has_one_lock_under_all_its_names(directory, monkeypatch):
    fake = types.ModuleType("pynvml")
    fake.NVMLError = Exception
    fake.nvmlInit = fake.nvmlShutdown = lambda: None
    fake.nvmlDeviceGetCount = lambda: 2
    fake.nvmlDeviceGetHandleByIndex = lambda index: index
    fake.nvmlDeviceGetUUID = lambda index: f"GPU-{index}"
    monkeypatch.setitem(sys.modules, "pynvml", fake)

    def find(gpus, **more):
        settings = WorkerSettings(
            gpus=gpus, gpu_lock_directory=directory.gpu_lock_directory, gpu_wait_s=0.0
        )
        return find_gpus(settings, environment={}, **more)

    assert find("0,") == ["0"]
    assert find("auto", offered=1) == ["GPU-1"]
    with pytest.raises(SettingsError, match="0 of 2 are free, and 1 wanted"):
        find("1")
    assert find("auto") == []


def test_what_a_batch_system_assigned_needs_no_lock(directory):
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    settings = WorkerSettings(gpu_lock_directory=directory.gpu_lock_directory, gpu_wait_s=0.0)
    for _ in range(2):
        assert find_gpus(settings, environment=environment) == ["0", "1"]


def test_the_users_own_directory_is_nobody_elses(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_locks, "_PLACES", (str(tmp_path / "none"), str(tmp_path)))
    directory = lock_directory("auto")
    assert directory == tmp_path / f"hocket-gpus-{os.getuid()}"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert lock_directory("auto") == directory
    directory.rmdir()
    directory.symlink_to(tmp_path)
    with pytest.raises(SettingsError, match="another user's"):
        lock_directory("auto")
    with pytest.raises(SettingsError, match="there is no such directory"):
        lock_directory(str(tmp_path / "none"))


def test_in_a_directory_for_several_users_each_may_lock(tmp_path):
    tmp_path.chmod(0o1777)
    take(make_directory(tmp_path), ["a"], 1)
    assert stat.S_IMODE((tmp_path / "a.lock").stat().st_mode) == 0o666
    tmp_path.chmod(0o700)
    take(make_directory(tmp_path), ["b"], 1)
    assert stat.S_IMODE((tmp_path / "b.lock").stat().st_mode) == 0o600


def test_a_name_makes_no_path(directory, tmp_path):
    assert take(directory, ["MIG-GPU-8932/1/2", "../up"], 2) == ["MIG-GPU-8932/1/2", "../up"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert all(len(name) == len("0" * 32 + ".lock") for name in names)


def test_what_others_wrote_into_a_lock_is_shown_as_plain_text(directory, tmp_path):
    take(directory, ["a"], 1)
    (tmp_path / "a.lock").write_text("\x1b[2Jmallory\nERROR all is lost\r")
    with pytest.raises(SettingsError) as caught:
        take(directory, ["a"], 1)
    assert "a is held by ?[2Jmallory?ERROR all is lost" in str(caught.value)


def test_a_gpu_is_locked_although_there_is_no_room_to_say_by_whom(directory, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(gpu_locks.os, "pwrite", fail)
    assert take(directory, ["a"], 1) == ["a"]
    with pytest.raises(SettingsError, match="0 of 1 are free"):
        take(directory, ["a"], 1)
