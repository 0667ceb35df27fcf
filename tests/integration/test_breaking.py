"""A cluster of processes under bad use: killed workers, strangers at the door, dead addresses."""

from __future__ import annotations

import operator
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from hocket.client import Client
from hocket.core.errors import ConnectFailed, HandshakeRefused, WorkerDied
from hocket.deploy import LocalCluster


def slow_neg(x: int) -> int:
    time.sleep(0.01)
    return -x


def test_a_killed_workers_results_are_computed_again(fresh: tuple[LocalCluster, Client]) -> None:
    cluster, client = fresh
    futures = client.map(slow_neg, range(300))
    total = client.submit(sum, futures)
    futures[20].result(timeout=20)
    os.kill(next(iter(cluster.worker_pids.values())), signal.SIGKILL)
    assert total.result(timeout=60) == -sum(range(300))
    assert client.gather(futures) == [-one for one in range(300)]


def test_a_task_that_kills_its_worker_is_given_up(fresh: tuple[LocalCluster, Client]) -> None:
    _, client = fresh
    bad = client.submit(os._exit, 3)
    with pytest.raises(WorkerDied):
        bad.result(timeout=60)
    assert client.submit(operator.add, 1, 1).result(timeout=30) == 2


def test_strangers_do_not_disturb(fresh: tuple[LocalCluster, Client]) -> None:
    cluster, client = fresh
    host, port = cluster.address.removeprefix("tcp://").split(":")
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\xff" * 100_000):
        with socket.create_connection((host, int(port)), timeout=5) as stranger:
            stranger.sendall(garbage)
    with pytest.raises(HandshakeRefused, match="secret"):
        Client(cluster.address, secret="another secret")
    assert client.submit(operator.add, 1, 1).result(timeout=10) == 2


def test_nobody_at_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConnectFailed, match=str(port)):
            Client(f"tcp://127.0.0.1:{port}", timeout_s=0.3)


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        check=False,
    )


def test_a_script_needs_no_guard_and_no_close(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def triple(x):\n    return 3 * x\n")
    done = run_script(
        tmp_path,
        """
        import os
        import beside
        from hocket.client import Client

        class Point:
            def __init__(self, x):
                self.x = x

        def double(point):
            return Point(2 * point.x)

        print("main runs once")
        client = Client()
        print(client.gather(client.map(beside.triple, range(3))))
        print([one.x for one in client.gather(client.map(double, [Point(1), Point(2)]))])
        print("pids", *client.run(os.getpid).values())
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:3] == ["main runs once", "[0, 3, 6]", "[2, 4]"]
    for pid in lines[3].split()[1:]:
        assert not Path(f"/proc/{pid}").exists()


def test_a_killed_program_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import os, signal
        from hocket.client import Client
        client = Client()
        print(*client.run(os.getpid).values(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    pids = [int(one) for one in done.stdout.split()]
    assert pids
    # The processes hear of it at once, and have a bounded time to end.
    for pid in pids:
        wait_until_gone(pid)


def wait_until_gone(pid: int) -> None:
    """Wait for a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        assert poller.poll(15_000), f"process {pid} is still there"
    finally:
        os.close(fd)
