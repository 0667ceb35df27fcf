"""LocalCluster: starting, scaling, replacing, ending."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

import pytest

from hocket.client import Client
from hocket.core.errors import ConnectFailed, HandshakeRefused, SettingsError, UserError
from hocket.deploy import LocalCluster
from hocket.deploy.local_layout import layout
from hocket.deploy.processes import Processes


def until_gone(pid: int, timeout_s: float = 15.0) -> bool:
    """Wait for the end of a process that may not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))
    finally:
        os.close(fd)


def parent_of(pid: int) -> int:
    """Return the process that started this one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_processes_come_and_go() -> None:
    cluster = LocalCluster(2, 1)
    pids = [cluster.scheduler_pid, *cluster.worker_pids.values()]
    assert len(set(pids)) == 3
    assert os.getpid() not in pids
    assert "2 workers" in repr(cluster)
    cluster.close()
    cluster.close()
    assert repr(cluster) == "<LocalCluster closed>"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(UserError, match="closed"):
        cluster.scale(1)


def test_threads_of_this_process() -> None:
    with LocalCluster(2, 1, processes=False) as cluster, Client(cluster) as client:
        assert set(client.run(os.getpid).values()) == {os.getpid()}
        assert cluster.address.startswith("inproc://")


@pytest.mark.parametrize("processes", [True, False])
def test_scaling(processes: bool) -> None:
    with LocalCluster(1, 1, processes=processes) as cluster, Client(cluster) as client:
        cluster.scale(3)
        assert len(cluster.workers) == 3
        client.wait_for_workers(3, timeout=20)
        assert client.gather(client.map(abs, range(-50, 0))) == list(range(50, 0, -1))
        cluster.scale(1)
        assert len(cluster.workers) == 1
        assert client.submit(abs, -1).result(timeout=20) == 1


def test_how_it_shows_itself_in_notebooks() -> None:
    with LocalCluster(2, 1, processes=False) as cluster:
        assert cluster.status == "running"
        assert [job["workers"] for job in cluster.jobs] == [["worker-0"], ["worker-1"]]
        html = cluster._repr_html_()
        assert "of 2 workers" in html
        assert "<td>worker-1</td>" in html
    assert cluster.status == "closed"
    assert "LocalCluster closed" in cluster._repr_html_()


def test_a_killed_worker_is_replaced() -> None:
    settings = {"session.local_grace_s": 0.1}
    with LocalCluster(1, 1, settings=settings) as cluster, Client(cluster) as client:
        (pid,) = cluster.worker_pids.values()
        assert set(client.run(os.getpid).values()) == {pid}
        os.kill(pid, signal.SIGKILL)
        assert until_gone(pid)
        assert client.submit(abs, -1, workers=["worker-1"]).result(timeout=30) == 1


def test_a_killed_fork_server_takes_all_with_it() -> None:
    cluster = LocalCluster(1, 1)
    pids = [cluster.scheduler_pid, *cluster.worker_pids.values()]
    os.kill(parent_of(pids[0]), signal.SIGKILL)
    assert all(until_gone(pid) for pid in pids)
    cluster.close()


def test_a_cluster_that_cannot_start_says_why() -> None:
    with pytest.raises(ConnectFailed, match=r"^scheduler did not start within 0\.001 s.*timeout_s"):
        LocalCluster(1, 1, settings={"local.start_timeout_s": 0.001})
    with pytest.raises(SettingsError, match="scheduler"):
        LocalCluster(1, 1, settings={"sheduler.window_s": 1})


@pytest.mark.parametrize(
    ("asked", "cores", "expected"),
    [
        ((None, None), 2, (2, 1)),
        ((None, None), 64, (8, 8)),
        ((None, 4), 8, (2, 4)),
        ((3, None), 8, (3, 2)),
        ((5, 7), 2, (5, 7)),
    ],
)
def test_layout(
    asked: tuple[int | None, int | None], cores: int, expected: tuple[int, int]
) -> None:
    assert layout(*asked, cores) == expected


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"n_workers": "2"}, "n_workers.*'2'.*whole number"),
        ({"n_workers": -1}, "n_workers.*-1.*0 to"),
        ({"n_workers": True}, "n_workers.*True"),
        ({"n_workers": 10**9}, "n_workers.*1000000000"),
        ({"threads_per_worker": 1.5}, r"threads_per_worker.*1\.5"),
        ({"threads_per_worker": 0}, "threads_per_worker.*0.*1 to"),
        ({"processes": "no"}, "processes.*'no'.*True or False"),
        ({"memory_limit": "lots"}, "memory_limit.*'lots'.*64 KiB.*auto"),
        ({"memory_limit": -5}, "memory_limit.*-5"),
        ({"resources": "GPU"}, "resources.*'GPU'.*mapping"),
        ({"resources": {"GPU": -1}}, "resources.*-1.*'GPU' must be finite and not negative"),
        ({"resources": {"GPU": float("nan")}}, "resources.*nan"),
        ({"resources": {"GPU": "one"}}, "resources.*'GPU' must be a number"),
        ({"resources": {1: 1}}, "resources.*1 must be text"),
        ({"settings": "hocket.yaml"}, "settings.*'hocket.yaml'.*load_settings"),
        ({"settings": {"worker.threds": 1}}, "worker.threads"),
    ],
)
def test_wrong_arguments_are_named_before_anything_starts(
    wrong: dict[str, object], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hocket.deploy.local._crew_of", pytest.fail)
    with pytest.raises(SettingsError, match=named):
        LocalCluster(**wrong)  # type: ignore[arg-type]


def test_scaling_names_wrong_numbers() -> None:
    with LocalCluster(0, processes=False) as cluster:
        with pytest.raises(SettingsError, match="'3'"):
            cluster.scale("3")  # type: ignore[arg-type]
        assert cluster.workers == []


def test_a_given_secret_lets_others_join(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("open sesame\n")
    file.chmod(0o600)
    for given in ({"security.secret": "open sesame"}, {"security.secret_file": str(file)}):
        with LocalCluster(1, 1, processes=False, settings=given) as cluster:
            assert cluster.secret == "open sesame"
    with LocalCluster(1, 1, settings={"security.secret_file": str(file)}) as cluster:
        with Client(cluster.address, secret="open sesame") as client:
            assert client.submit(abs, -1).result(timeout=20) == 1
        with pytest.raises(HandshakeRefused):
            Client(cluster.address, secret="open barley")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        LocalCluster(1, 1, settings={"security.secret_file": str(file)})


def test_secrets_are_fresh_and_not_shown() -> None:
    with LocalCluster(1, 1) as cluster, LocalCluster(0, processes=False) as other:
        assert len(cluster.secret) == 64
        assert cluster.secret != other.secret
        assert cluster.secret not in repr(cluster)
        scheduler = Path(f"/proc/{cluster.scheduler_pid}")
        parent = parent_of(cluster.scheduler_pid)
        for folder in (scheduler, Path(f"/proc/{parent}")):
            shown = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            assert cluster.secret.encode() not in shown


@pytest.mark.parametrize("victim", ["scheduler", "fork server"])
def test_a_cluster_without_its_core_says_so(
    victim: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_exit(self: LocalCluster, name: str, cause: str) -> None:
        told(self, name, cause)
        heard.set()

    heard = threading.Event()
    told = LocalCluster._on_exit
    monkeypatch.setattr(LocalCluster, "_on_exit", on_exit)
    settings = {"session.local_grace_s": 0.1}
    with LocalCluster(2, 1, settings=settings) as cluster:
        pids = [cluster.scheduler_pid, *cluster.worker_pids.values()]
        os.kill(pids[0] if victim == "scheduler" else parent_of(pids[0]), signal.SIGKILL)
        assert heard.wait(20)
        assert all(until_gone(pid) for pid in pids)
        with pytest.raises(UserError, match=f"{victim} ended: killed by signal 9"):
            cluster.scale(3)
        assert cluster.workers == []
    messages = [one.getMessage() for one in caplog.records if one.name == "hocket.deploy"]
    assert len(messages) == 1
    assert "make another" in messages[0]


def test_no_files_stay_open() -> None:
    def once() -> set[str]:
        with LocalCluster(1, 1) as cluster:
            cluster.scale(2)
            cluster.scale(0)
        return {str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}

    before = once()
    assert {one for one in once() - before if not one.startswith("/proc")} == set()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_of_the_program_leaves_the_cluster_alone() -> None:
    with LocalCluster(1, 1) as cluster, Client(cluster) as client:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                cluster.close()
                status = 0 if repr(cluster) == "<LocalCluster closed>" else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.submit(abs, -1).result(timeout=20) == 1


def test_an_interrupted_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pids = []

    def interrupted(self: Processes, name: str, timeout_s: float) -> dict[str, object]:
        facts = wait_ready(self, name, timeout_s)
        pids.append(facts["pid"])
        if name != "scheduler":
            raise KeyboardInterrupt
        return facts

    wait_ready = Processes.wait_ready
    monkeypatch.setattr(Processes, "wait_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalCluster(2, 1)
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
