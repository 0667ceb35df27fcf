"""A cluster on several network hosts: strangers outside, several ways in, a link that is cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_cluster import command_cluster

from hocket.client import Client

TOOLS = Path(os.environ.get("TESTBED_TOOLS") or Path(__file__).parents[3] / "shared" / "tools")
ATTACK = Path(__file__).parents[1] / "integration" / "attack_ports.py"


@pytest.fixture(scope="module")
def cluster(testbed, tmp_path_factory):
    """A scheduler and two workers here, and one worker on each of two hosts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOCKET_TRANSPORT__HANDSHAKE_TIMEOUT_S", "1")
        with command_cluster(tmp_path_factory.mktemp("hosts")) as one:
            for host in ("h1", "h2"):
                flags = ("worker", "--scheduler-file", str(one.file), "--name", host)
                one.start(host, *flags, prefix=(tool("netns-exec"), host))
                one.until(lambda host=host: f"worker {host} at" in one.log(host))
            yield one


def tool(name: str) -> str:
    """Return where a script of the testbed lies."""
    return str(TOOLS / name)


def link(*arguments: str) -> None:
    """Change what two hosts hear of each other."""
    subprocess.run([tool("netns-link"), *arguments], check=True, capture_output=True, timeout=60)


def test_data_moves_between_hosts_under_tls(cluster):
    with Client(scheduler_file=cluster.file) as client:
        pieces = [client.submit(bytes, 300_000, workers=host, pure=False) for host in ("h1", "h2")]
        total = client.submit(lambda *all_: sum(map(len, all_)), *pieces, workers="h1")
        assert total.result(60) == 600_000
        addresses = client.scheduler_info()["workers"]
        assert any("tls://10.77.0.11:" in address for address in addresses)


def test_strangers_on_another_host_get_nothing(cluster):
    with Client(scheduler_file=cluster.file) as client:
        places = [client.address, *client.scheduler_info()["workers"]]
        ports = [
            one.partition("://")[2]
            for place in places
            for one in place.split(",")
            if one.startswith("tls://10.77.")
        ]
        assert len(ports) >= 4
        marker = cluster.directory / "marker"
        done = subprocess.run(
            [tool("netns-exec"), "h3", sys.executable, str(ATTACK), str(marker), *ports],
            capture_output=True,
            text=True,
            check=True,
            timeout=200,
        )
        for place, name, tls, answer in json.loads(done.stdout):
            data = b"" if answer.startswith("no connection") else bytes.fromhex(answer)
            greeted = data[48:] if data.startswith(b"HOCKET") else data
            is_tls = data.startswith((b"\x15\x03", b"\x16\x03"))
            assert is_tls or greeted in (b"", b"\x01" + bytes(32)), (place, name, tls, answer)
        assert not marker.exists()
        assert client.submit(sum, [1, 2]).result(30) == 3


def test_doctor_names_the_link_that_one_host_rejects(cluster):
    link("h1", "reject", "h2")
    try:
        done = cluster.call("doctor", "--timeout", "3")
    finally:
        link("h1", "heal", "h2")
    broken = [line for line in done.stdout.splitlines() if line.startswith("broken: ")]
    assert done.returncode == 1, done.stdout
    told = "\n".join(broken)
    assert "worker h1 does not reach worker h2" in told
    assert "worker h2 does not reach worker h1" in told
    assert len(broken) == 2, told
    assert cluster.call("doctor").returncode == 0
