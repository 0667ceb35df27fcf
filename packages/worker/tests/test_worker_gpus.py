"""GPUs are identities: as the job system named them, in its order, each for one worker."""

from __future__ import annotations

import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.core.task_context import TaskContext
from hocket.core.worker_view import WorkerView
from hocket.worker.gpus import assigned_gpus, chosen_gpus, share_of
from hocket.worker.shell import Worker
from hocket.worker.shell.gpu_places import find_gpus, present_gpus

UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
MIG = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2"


@pytest.mark.parametrize(
    ("environment", "gpu_file", "expected"),
    [
        ({}, "", None),
        ({"CUDA_VISIBLE_DEVICES": "3,0,1"}, "", ["3", "0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": f" {UUID} , {MIG}"}, "", [UUID, MIG]),
        ({"CUDA_VISIBLE_DEVICES": ""}, "", []),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, "", []),
        ({"CUDA_VISIBLE_DEVICES": "1", "SLURM_JOB_GPUS": "0,1"}, "", ["1"]),
        ({"SLURM_JOB_GPUS": "0,1"}, "", ["0", "1"]),
        ({}, "h1-gpu0\nh1-gpu3\n", ["0", "3"]),
        ({}, "nonsense\nnode-7-gpu12\n", ["12"]),
    ],
)
def test_what_a_job_was_assigned(environment, gpu_file, expected):
    assert assigned_gpus(environment, gpu_file) == expected


@pytest.mark.parametrize(
    ("asked", "assigned", "expected"),
    [
        ("auto", None, ["a", "b"]),
        ("auto", ["3"], ["3"]),
        ("auto", [], []),
        ("none", ["3"], []),
        ("", ["3"], []),
        ("1", ["3", "0"], ["3"]),
        ("2", None, ["a", "b"]),
        ("0,1,2,3", None, ["0", "1", "2", "3"]),
        ("1,", None, ["1"]),
        (UUID, ["3"], [UUID]),
    ],
)
def test_what_its_user_wants_of_them(asked, assigned, expected):
    assert chosen_gpus(asked, assigned, ["a", "b"]) == expected


@pytest.mark.parametrize(("asked", "told"), [("3", "there are 2 to be had"), ("0,0", "once")])
def test_what_is_not_to_be_had_is_refused(asked, told):
    with pytest.raises(SettingsError, match=told):
        chosen_gpus(asked, ["0", "1"])


@given(st.lists(st.text("abc0", min_size=1), unique=True, max_size=9), st.integers(1, 12))
def test_workers_share_them_fairly_and_no_two_have_one(names, count):
    shares = [share_of(names, index, count) for index in range(count)]
    assert [name for share in shares for name in share] == names
    sizes = sorted(map(len, shares))
    assert sizes[-1] - sizes[0] <= 1


def test_a_file_of_torques_that_is_not_there_means_nothing(tmp_path):
    file = tmp_path / "gpus"
    environment = {"PBS_GPUFILE": str(file)}
    file.write_text("h1-gpu1\n")
    assert find_gpus("auto", environment) == ["1"]
    file.unlink()
    assert find_gpus("none", environment) == []


def test_the_hosts_own_are_asked_for_where_nothing_is_assigned(monkeypatch):
    class NoLibraryError(Exception):
        pass

    fake = types.ModuleType("pynvml")
    fake.NVMLError = NoLibraryError
    fake.nvmlInit = fake.nvmlShutdown = lambda: None
    fake.nvmlDeviceGetCount = lambda: 2
    fake.nvmlDeviceGetHandleByIndex = lambda index: index
    fake.nvmlDeviceGetUUID = lambda index: [UUID.encode(), "GPU-2"][index]
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert present_gpus() == [UUID, "GPU-2"]
    assert find_gpus("auto", {}) == [UUID, "GPU-2"]
    assert find_gpus("auto", {"CUDA_VISIBLE_DEVICES": "NoDevFiles"}) == []

    def fail():
        raise NoLibraryError

    fake.nvmlInit = fail
    assert present_gpus() == []
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert present_gpus() == []


def test_a_task_is_told_which_it_has(monkeypatch):
    view = WorkerView("w", device_names={"GPU": (UUID, "7")})
    assert view.devices == {"GPU": (UUID, "7")}
    task = TaskContext("k", 1, "w", devices={"GPU": (1,), "tape": (4,)})
    monkeypatch.setattr("hocket.core.worker_view.current_task", lambda: task)
    assert view.devices == {"GPU": ("7",), "tape": ("4",)}


def test_a_worker_offers_as_many_as_it_has():
    worker = Worker("inproc://nobody", name="w", gpus=["3", "5"])
    assert worker._resources == {"GPU": 2}
    told = Worker("inproc://nobody", name="w", gpus=["3"], resources={"GPU": 4})
    assert told._resources == {"GPU": 4}
