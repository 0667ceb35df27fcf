"""A cluster over SSH from end to end, with a server of asyncssh's own in this process."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import time

import pytest

from hocket.client import Client
from hocket.core.errors import SettingsError
from hocket.deploy import SSHCluster
from hocket.deploy.errors import GroupStopped
from hocket.transport.loop import LoopThread

asyncssh = pytest.importorskip("asyncssh")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here"),
]


class Server(asyncssh.SSHServer):
    """Lets in whoever has the one key, under any name."""

    def __init__(self, key):
        self._key = key

    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return True

    def validate_public_key(self, username, key):
        return key == self._key


async def run_shell(process):
    child = await asyncio.create_subprocess_shell(
        process.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    feeding = asyncio.ensure_future(feed(process, child))
    while data := await child.stdout.read(1 << 16):
        process.stdout.write(data)
    code = await child.wait()
    feeding.cancel()
    process.exit(code)


async def feed(process, child):
    child.stdin.write(await process.stdin.read())
    child.stdin.close()


@pytest.fixture(scope="module")
def connect_options():
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    loop = LoopThread("test-ssh-server", loop="asyncio")

    async def serve():
        return await asyncssh.create_server(
            lambda: Server(keys[1].convert_to_public()),
            "127.0.0.1",
            0,
            server_host_keys=[keys[0]],
            process_factory=run_shell,
            encoding=None,
        )

    server = loop.run(serve())

    async def end():
        server.close()
        await server.wait_closed()

    yield {
        "port": server.sockets[0].getsockname()[1],
        "client_keys": [keys[1]],
        "known_hosts": None,
        "username": "somebody",
        "config": None,
    }
    loop.run(end())
    loop.close()


@pytest.fixture
def options(connect_options, tmp_path):
    return {
        "connect_options": connect_options,
        "directory": tmp_path / "jobs",
        "settings": {"scheduler.host": "127.0.0.1"},
    }


def test_workers_come_are_replaced_and_go(options):
    with SSHCluster(["127.0.0.1"], **options) as cluster, Client(cluster) as client:
        cluster.wait(timeout=30)
        pid = client.submit(os.getpid).result(timeout=10)
        assert client.submit(socket.gethostname).result(timeout=10) == socket.gethostname()
        os.kill(pid, 9)
        deadline_s = time.monotonic() + 30
        while cluster.workers != ["workers-2"]:
            assert time.monotonic() < deadline_s
            # The job is another process, and tells nobody of its end.
            time.sleep(0.05)
        assert "job began on" in cluster.logs("workers-1")["workers-1"]
        ended = cluster.jobs[0]
        assert (ended["state"], ended["hosts"]) == ("ended", "127.0.0.1")
        assert stat.S_IMODE(cluster.files.directory.stat().st_mode) == 0o700
        assert cluster.secret not in cluster.job_script()


def test_what_goes_wrong_is_told_of(options):
    with (
        SSHCluster(["127.0.0.1"], python="/no/such/python", **options) as cluster,
        pytest.raises(GroupStopped, match="there is no program /no/such/python on"),
    ):
        cluster.wait(timeout=20)
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    options["connect_options"] = {**options["connect_options"], "client_keys": [stranger]}
    with (
        SSHCluster(["127.0.0.1"], **options) as cluster,
        pytest.raises(GroupStopped, match="cannot be reached over SSH: Permission denied"),
    ):
        cluster.wait(timeout=20)


def test_hosts_are_a_list():
    with pytest.raises(SettingsError, match="a list of hosts"):
        SSHCluster("node1")
    with pytest.raises(SettingsError, match="did you mean 'cores'"):
        SSHCluster(["node1"], core=3)
