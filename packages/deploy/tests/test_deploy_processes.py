"""The fork server and the client's end of it, each with a stand-in for the other."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hocket.core.errors import ConnectFailed
from hocket.deploy.forkserver import ForkServer
from hocket.deploy.processes import Processes


def test_what_cannot_be_forked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise OSError(errno.EAGAIN, "too many processes")

    monkeypatch.setattr(os, "fork", full)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        server = ForkServer(theirs)
        ours.sendall(json.dumps({"start": 7, "role": "worker", "options": {}}).encode() + b"\n")
        ours.shutdown(socket.SHUT_WR)
        handlers = threading.Thread(target=lambda: [server._on_control() for _ in range(2)])
        handlers.start()
        event = json.loads(ours.recv(10_000))
        handlers.join()
        assert event["id"] == 7
        assert event["event"] == "exited"
        assert "too many processes" in event["cause"]
        # (A selector and the pipe that wakes it.)
        assert len(list(Path("/proc/self/fd").iterdir())) == open_before + 3
        server._selector.close()
        os.close(server._wake_read)
        os.close(server._wake_write)


def test_nothing_is_remembered_of_processes_that_ended() -> None:
    exits: list[tuple[str, str]] = []
    processes = Processes(lambda name, cause: exits.append((name, cause)))
    try:
        options = {"addresses": ["tcp://127.0.0.1:0"], "settings": {}, "secret": "s"}
        for one in range(3):
            processes.start(f"s{one}", "scheduler", options)
            processes.wait_ready(f"s{one}", 20.0)
            processes.stop(f"s{one}", 15)
            with processes._changed:
                assert processes._changed.wait_for(lambda: not processes._facts, 20.0)
        processes.stop("s0", 15)
        assert not processes._names
        assert not processes._stopping
        processes.start("bad", "scheduler", {**options, "settings": {"no.such": 1}})
        with pytest.raises(ConnectFailed, match=r"^bad ended while starting: exit code 1"):
            processes.wait_ready("bad", 20.0)
        assert not processes._facts
    finally:
        processes.close()
    assert [name for name, _ in exits] == ["bad"]
    with pytest.raises(ConnectFailed, match="closed while later"):
        processes.wait_ready("later", 1.0)


def test_modules_in_the_current_directory_are_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "selectors.py").write_text("raise SystemExit('taken from here')")
    script = tmp_path / "script.py"
    script.write_text(
        "from hocket.deploy import LocalCluster\nwith LocalCluster(1, 1): print('up')\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("up\n", "")
