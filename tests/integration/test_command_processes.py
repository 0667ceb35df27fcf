"""The command's processes: they find each other, are looked into, drained, given new secrets."""

from __future__ import annotations

import json
import os
import signal
import time

import psutil
import pytest
from command_cluster import command_cluster

from hocket.client import Client
from hocket.core.errors import HandshakeRefused
from hocket.transport.scheduler_file import read_scheduler_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with command_cluster(tmp_path_factory.mktemp("command")) as one:
        yield one


@pytest.fixture
def client(cluster):
    with Client(scheduler_file=cluster.file) as one:
        yield one


def test_tasks_run_and_data_moves_under_tls(cluster, client):
    assert client.address.startswith("tls://")
    pieces = client.map(lambda n: bytes(300_000 + n), range(8))
    assert client.submit(lambda all_: sum(map(len, all_)), pieces).result() == 2_400_028
    assert [len(piece) for piece in client.gather(pieces)] == [300_000 + n for n in range(8)]


def test_secrets_lie_in_files_for_their_owner_only_and_on_no_command_line(cluster):
    secret = read_scheduler_file(cluster.file).secret
    known = list((cluster.directory / "known").iterdir())
    for file in (cluster.file, *known):
        assert file.stat().st_mode & 0o777 == 0o600
    assert len(known) == 1
    for process in cluster.processes.values():
        line = " ".join(psutil.Process(process.pid).cmdline())
        assert "hocket" in line
        assert secret.split(":")[2] not in line
    for name in cluster.processes:
        assert secret.split(":")[2] not in cluster.log(name)


def test_status_top_and_why(cluster, client):
    done = cluster.call("status")
    assert done.returncode == 0, done.stderr
    assert "w-0" in done.stdout
    assert "GPU: 1" in done.stdout
    assert "2 workers on 1 host, 2 threads" in done.stdout
    facts = json.loads(cluster.call("status", "--json").stdout)
    assert sorted(one["name"] for one in facts["workers"].values()) == ["w-0", "w-1"]
    assert "w-1" in cluster.call("top", "--looks", "2", "--interval", "0.1").stdout
    never = client.submit(lambda: 1, key="never", resources={"FPGA": 1})
    done = cluster.call("why", "never")
    assert "it needs 1 of FPGA" in done.stdout
    never.cancel()
    done = cluster.call("why", "unheard-of")
    assert (done.returncode, "knows nothing of it" in done.stdout) == (1, True)


def test_logs_and_doctor(cluster, client):
    client.submit(print, "said in a task", key="talker").result()
    done = cluster.call("logs", "-n", "50")
    assert "[talker] STDOUT said in a task" in done.stdout
    done = cluster.call("doctor", "--timeout", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reached in" in done.stdout
    assert "broken" not in done.stdout
    assert "clocks agree" in done.stdout


def test_roles_by_token(cluster):
    tokens = {role: cluster.call("token", "--role", role).stdout for role in ("client", "observer")}
    elsewhere = {"HOCKET_SECURITY__DIRECTORY": ""}
    done = cluster.call("status", **elsewhere, HOCKET_SECURITY__TOKEN=tokens["client"])
    assert done.returncode == 0, done.stderr
    worker = ("worker", "--restart", "no", "--connect-timeout", "5")
    done = cluster.call(*worker, **elsewhere, HOCKET_SECURITY__TOKEN=tokens["client"])
    assert done.returncode == 1
    assert "a role client, which does not let a worker in" in done.stderr
    with Client(tokens["client"]) as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_an_observers_key_is_enough_to_look_and_for_nothing_else(cluster, client):
    token = cluster.call("token", "--role", "observer").stdout
    look = {"HOCKET_SECURITY__DIRECTORY": "", "HOCKET_SECURITY__TOKEN": token}
    never = client.submit(lambda: 1, key="never-seen", resources={"FPGA": 1})
    client.submit(print, "said to those who look on", key="speaker").result()
    assert "2 workers on 1 host" in cluster.call("status", **look).stdout
    assert "w-1" in cluster.call("top", "--looks", "1", **look).stdout
    assert "it needs 1 of FPGA" in cluster.call("why", "never-seen", **look).stdout
    # What was said before it looked, and once, however often it looks.
    for _ in range(2):
        lines = cluster.call("logs", "-n", "50", **look).stdout.splitlines()
        assert sum("[speaker] STDOUT said to those who look on" in line for line in lines) == 1
    done = cluster.call("doctor", "--timeout", "5", **look)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reached in" in done.stdout
    assert "workers are not asked" in done.stdout
    never.cancel()
    with pytest.raises(HandshakeRefused, match="observer, which does not let a client in"):
        Client(token)
    for role in ("client", "worker"):
        done = cluster.call("token", "--role", role, **look)
        assert (done.returncode, done.stdout) == (1, "")


def test_a_signal_drains_and_nothing_is_lost(cluster, client):
    cluster.start("leaving", "worker", "--name", "leaving", "--nthreads", "1")
    cluster.until(lambda: "worker leaving at" in cluster.log("leaving"))
    held = client.submit(bytes, 70_000, workers="leaving", allow_other_workers=True)
    held.result()
    running = client.submit(lambda: time.sleep(0.3) or "ended", workers="leaving")
    cluster.until(lambda: sum(map(len, client.processing("leaving").values())) == 1)
    assert cluster.end("leaving", signal.SIGUSR2) == 0
    assert running.result(30) == "ended"
    assert len(held.result(30)) == 70_000


def test_a_worker_leaves_before_its_time_is_over(cluster, client):
    flags = ["--name", "short", "--lifetime", "63 s", "--lifetime-margin", "61.5 s"]
    cluster.start("short", "worker", *flags)
    cluster.until(lambda: "worker short at" in cluster.log("short"))
    told = {one["name"]: one["leaves_in_s"] for one in client.scheduler_info()["workers"].values()}
    assert 0.0 <= told["short"] < 1.5
    assert told["w-0"] is None
    cluster.until(lambda: cluster.processes["short"].poll() is not None)
    assert cluster.processes["short"].wait() == 0


def test_a_worker_that_is_killed_is_replaced(cluster, client):
    pids = {one["name"]: one["pid"] for one in client.scheduler_info()["workers"].values()}
    os.kill(pids["w-0"], signal.SIGKILL)
    cluster.until(lambda: "worker w-0.1 at" in cluster.log("workers"))
    assert "killed by signal 9 (SIGKILL); it is replaced" in cluster.log("workers")
    assert client.submit(sum, [1, 2]).result() == 3


def test_a_secret_is_replaced_while_all_goes_on(cluster, client):
    pieces = client.map(lambda n: bytes(200_000 + n), range(4))
    client.gather(pieces)
    before = read_scheduler_file(cluster.file).secret
    done = cluster.call("token", "--replace")
    assert done.returncode == 0, done.stderr
    assert read_scheduler_file(cluster.file).secret != before
    with Client(scheduler_file=cluster.file) as other:
        assert other.submit(len, pieces).result() == 4
        assert len(other.gather(other.map(lambda n: bytes(200_000 + n), range(4)))) == 4
    assert len(client.gather(pieces)) == 4


def test_a_script_has_a_cluster_while_it_runs(cluster):
    script = cluster.directory / "script.py"
    script.write_text(
        "import sys\nfrom hocket.client import Client\n"
        "with Client() as client:\n"
        "    print(client.submit(sum, [1, 2]).result(), len(client.nthreads()), sys.argv[1:])\n"
        "sys.exit(7)\n"
    )
    done = cluster.call("run", "--nworkers", "1", "--nthreads", "1", str(script), "a", "--b")
    assert (done.returncode, done.stdout) == (7, "3 1 ['a', '--b']\n"), done.stderr
