"""Old folders of clusters go, and those in which something may live stay."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hocket.core.settings import JobsSettings
from hocket.deploy.job_folders import (
    OWNER,
    Folder,
    choose_folders,
    note_owner,
    prune_folders,
)
from hocket.deploy.job_script import INVITATION

DAY_S = 86_400.0
NOW_S = 1000 * DAY_S


def folder(number, age_days, *, is_alive=False):
    return Folder(Path(f"/jobs/cluster-{number:08x}"), NOW_S - age_days * DAY_S, is_alive)


def chosen(*folders, **settings):
    ages = choose_folders(folders, JobsSettings(**settings), NOW_S)
    return [round((NOW_S - one.changed_s) / DAY_S) for one in ages]


def test_too_old_or_too_many():
    folders = [folder(age, age) for age in (2, 10, 20, 40, 50)]
    assert chosen(*folders, folders_max=10, folders_age_s=30 * DAY_S) == [40, 50]
    assert chosen(*folders, folders_max=2, folders_age_s=30 * DAY_S) == [20, 40, 50]
    assert chosen(*folders, folders_max=10, folders_age_s="inf") == []


def test_what_changed_today_stays_however_many_there_are():
    folders = [folder(number, 0.5) for number in range(100)]
    assert chosen(*folders, folders_max=0, folders_age_s=0.0) == []


def test_a_cluster_that_has_not_ended_keeps_its_folder():
    assert chosen(folder(1, 400, is_alive=True), folders_max=0, folders_age_s=0.0) == []


@given(
    st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=30),
    st.integers(0, 10),
    st.floats(0, 60 * DAY_S),
)
def test_the_latest_are_kept(seen, count_max, age_max_s):
    folders = [folder(number, age, is_alive=invited) for number, (age, invited) in enumerate(seen)]
    settings = JobsSettings(folders_max=count_max, folders_age_s=age_max_s)
    gone = choose_folders(folders, settings, NOW_S)
    kept = [one for one in folders if one not in gone and not one.is_alive]
    assert not any(one.is_alive or NOW_S - one.changed_s <= DAY_S for one in gone)
    for one in kept:
        is_fresh = NOW_S - one.changed_s <= DAY_S
        assert is_fresh or NOW_S - one.changed_s <= age_max_s
    assert sum(NOW_S - one.changed_s > DAY_S for one in kept) <= count_max


@pytest.fixture
def base(tmp_path):
    """A directory of jobs with a folder of each kind, all of them old."""
    names = ("cluster-00000001", "cluster-00000002", "cluster-00000003", "cluster-mine", "other")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "workers-1.log").write_text("log\n")
    (tmp_path / "cluster-00000002" / "scheduler.json").write_text("{}")
    (tmp_path / "cluster-00000003" / "results.csv").write_text("1\n")
    (tmp_path / "cluster-00000004").symlink_to(tmp_path / "other")
    for path in [*tmp_path.glob("*/*"), *tmp_path.glob("*")]:
        os.utime(path, (NOW_S - 400 * DAY_S,) * 2, follow_symlinks=False)
    return tmp_path


def test_only_what_clusters_wrote_is_removed(base):
    prune_folders(base, JobsSettings(), NOW_S)
    left = sorted(path.name for path in base.iterdir())
    assert left == [
        "cluster-00000002",
        "cluster-00000003",
        "cluster-00000004",
        "cluster-mine",
        "other",
    ]
    assert (base / "other" / "workers-1.log").exists()
    assert (base / "cluster-00000002" / "workers-1.log").exists()
    assert [path.name for path in (base / "cluster-00000003").iterdir()] == ["results.csv"]


def test_a_cluster_whose_process_was_killed_has_ended(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    owners = {
        "cluster-00000001": f"{socket.gethostname()} {process.pid}",
        "cluster-00000002": f"{socket.gethostname()} {os.getpid()}",
        "cluster-00000003": f"another-host {process.pid}",
        "cluster-00000004": "nonsense",
    }
    for name, owner in owners.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / OWNER).write_text(owner)
        (tmp_path / name / INVITATION).write_text("{}")
    (tmp_path / "cluster-00000005").mkdir()
    note_owner(tmp_path / "cluster-00000005")
    (tmp_path / "cluster-00000005" / INVITATION).write_text("{}")
    for path in [*tmp_path.glob("*/*"), *tmp_path.glob("*")]:
        os.utime(path, (NOW_S - 400 * DAY_S,) * 2)
    prune_folders(tmp_path, JobsSettings(), NOW_S)
    assert sorted(path.name[-1] for path in tmp_path.iterdir()) == ["2", "3", "4", "5"]


def test_without_a_directory_nothing_is_done(tmp_path):
    prune_folders(tmp_path / "nowhere", JobsSettings(), NOW_S)
    assert list(tmp_path.iterdir()) == []
