"""GPUs are identities: as the job system named them, in its order, each for one worker."""

from __future__ import annotations

import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.core.settings import WorkerSettings
from hocket.core.task_context import TaskContext
from hocket.core.worker_view import WorkerView
from hocket.worker.gpus import Choice, assigned_gpus, choose_gpus, pinning, share_of
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
        ({"ROCR_VISIBLE_DEVICES": "2", "SLURM_JOB_GPUS": "0,1"}, "", ["2"]),
        ({}, "h1-gpu0\nh1-gpu3\n", ["0", "3"]),
        ({}, "nonsense\nnode-7-gpu12\n", ["12"]),
    ],
)
def test_what_a_job_was_assigned(environment, gpu_file, expected):
    assert assigned_gpus(environment, gpu_file) == expected


@pytest.mark.parametrize(
    ("asked", "assigned", "expected"),
    [
        ("auto", None, Choice(["a", "b"], None)),
        ("auto", ["3"], Choice(["3"], 1, is_assigned=True)),
        ("auto", [], Choice([], 0, is_assigned=True)),
        ("none", ["3"], Choice([], 0, is_assigned=True)),
        ("", None, Choice([], 0)),
        ("1", ["3", "0"], Choice(["3"], 1, is_assigned=True)),
        ("1", None, Choice(["a", "b"], 1)),
        ("0,1,2,3", None, Choice(["0", "1", "2", "3"], 4)),
        ("1,", None, Choice(["1"], 1)),
        (UUID, ["3"], Choice([UUID], 1)),
        (" 1 of 0, 1", None, Choice(["0", "1"], 1)),
        ("0 of 0,1", ["3"], Choice(["0", "1"], 0)),
    ],
)
def test_what_its_user_wants_of_them(asked, assigned, expected):
    assert choose_gpus(asked, assigned, ["a", "b"]) == expected


def test_workers_that_offer_so_many_want_no_more():
    assert choose_gpus("auto", None, ["a", "b"], 1) == Choice(["a", "b"], 1)
    # Without NVML nobody knows what they are called.
    assert choose_gpus("auto", None, [], 2) == Choice([], 0)


@pytest.mark.parametrize(
    ("asked", "told"),
    [("3", "there are 2 to be had"), ("0,0", "once"), ("3 of 0,1", "there are 2"), ("1 of ,", "0")],
)
def test_what_is_not_to_be_had_is_refused(asked, told):
    with pytest.raises(SettingsError, match=told):
        choose_gpus(asked, ["0", "1"])


@pytest.mark.parametrize(
    ("names", "environment", "expected"),
    [
        (["3"], {}, {"CUDA_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "3"}),
        ([], {}, {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "-1"}),
        (
            ["3", "1"],
            {"ROCR_VISIBLE_DEVICES": "1,2,3", "GPU_DEVICE_ORDINAL": "1,2,3"},
            # What ROCm leaves is counted anew by what is built on it.
            {
                "CUDA_VISIBLE_DEVICES": "3,1",
                "ROCR_VISIBLE_DEVICES": "3,1",
                "HIP_VISIBLE_DEVICES": "0,1",
                "GPU_DEVICE_ORDINAL": "0,1",
            },
        ),
        (
            ["1"],
            {"ZE_AFFINITY_MASK": "0,1"},
            {"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1", "ZE_AFFINITY_MASK": "1"},
        ),
    ],
)
def test_variables_show_a_process_its_devices_alone(names, environment, expected):
    assert pinning(names, environment) == expected


@given(st.lists(st.text("abc0", min_size=1), unique=True, max_size=9), st.integers(1, 12))
def test_workers_share_them_fairly_and_no_two_have_one(names, count):
    shares = [share_of(names, index, count) for index in range(count)]
    assert [name for share in shares for name in share] == names
    sizes = sorted(map(len, shares))
    assert sizes[-1] - sizes[0] <= 1


def found(gpus, environment):
    """Return what a command finds; nothing is locked."""
    settings = WorkerSettings(gpus=gpus, gpu_lock_directory="")
    return find_gpus(settings, environment=environment)


def test_a_file_of_torques_that_is_not_there_means_nothing(tmp_path):
    file = tmp_path / "gpus"
    environment = {"PBS_GPUFILE": str(file)}
    file.write_text("h1-gpu1\n")
    assert found("auto", environment) == ["1"]
    file.unlink()
    assert found("none", environment) == []


class NoLibraryError(Exception):
    pass


@pytest.fixture
def library(monkeypatch):
    """Stand in for NVML, with two devices."""
    fake = types.ModuleType("pynvml")
    fake.NVMLError = NoLibraryError
    fake.nvmlInit = fake.nvmlShutdown = lambda: None
    fake.nvmlDeviceGetCount = lambda: 2
    fake.nvmlDeviceGetHandleByIndex = lambda index: index
    fake.nvmlDeviceGetUUID = lambda index: [UUID.encode(), "GPU-2"][index]
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_the_hosts_own_are_asked_for_where_nothing_is_assigned(library, monkeypatch):
    assert present_gpus() == [UUID, "GPU-2"]
    assert found("auto", {}) == [UUID, "GPU-2"]
    assert found("auto", {"CUDA_VISIBLE_DEVICES": "NoDevFiles"}) == []

    def fail():
        raise NoLibraryError

    library.nvmlInit = fail
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
