"""Every port of a cluster, opened by strangers: none gets in, none learns anything, all goes on."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from command_cluster import command_cluster

from hocket.client import Client
from hocket.core.errors import HandshakeRefused
from hocket.core.settings import Settings
from hocket.protocol.credentials import parse_secret
from hocket.protocol.messages import FetchData
from hocket.protocol.roles import Role
from hocket.transport import DataPool, LoopThread
from hocket.transport.scheduler_file import read_scheduler_file
from hocket.transport.tls import pin_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

#: All that a stranger is told: that hocket is spoken here, and that the secrets differ.
GREETING = bytes(48)
SECRETS_DIFFER = b"\x01" + bytes(32)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # What says nothing is not waited for for long.
        patch.setenv("HOCKET_TRANSPORT__HANDSHAKE_TIMEOUT_S", "1")
        # Pages are open to other hosts, too.
        patch.setenv("HOCKET_DIAGNOSTICS__HOST", "0.0.0.0")
        with command_cluster(tmp_path_factory.mktemp("ports")) as one:
            yield one


def open_ports(cluster):
    """Return where the cluster's processes listen, except on the loopback."""
    places = set()
    for started in cluster.processes.values():
        process = psutil.Process(started.pid)
        for each in (process, *process.children(recursive=True)):
            for connection in each.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    host = connection.laddr.ip
                    places.add(
                        (("127.0.0.1" if host == "0.0.0.0" else host), connection.laddr.port)
                    )
    return sorted(places)


def test_strangers_get_nothing_at_any_port(cluster):
    with Client(scheduler_file=cluster.file) as client:
        kept = client.map(lambda n: f"the users' data {n}" * 10_000, range(4))
        client.gather(kept)
        counter = client.actor(collections.Counter)
        assert counter.total().result() == 0
        # One that is in a process of its own, meanwhile.
        beside = client.submit(time.sleep, 5, executor="processes")
        places = [f"{host}:{port}" for host, port in open_ports(cluster)]
        # The scheduler's, each worker's for data and for calls of actors, and the pages of all.
        assert len(places) >= 8
        marker = cluster.directory / "marker"
        attack = Path(__file__).with_name("attack_ports.py")
        done = subprocess.run(
            [sys.executable, str(attack), str(marker), *places],
            capture_output=True,
            text=True,
            check=True,
            timeout=180,
        )
        for place, name, tls, answer in json.loads(done.stdout):
            what = (place, name, "tls" if tls else "plain", answer)
            if answer.startswith("no connection"):
                continue
            data = bytes.fromhex(answer)
            assert b"users' data" not in data, what
            if data.startswith(b"HTTP/"):
                # Pages let nobody in who has no login.
                assert data.split()[1] in (
                    b"302",
                    b"400",
                    b"401",
                    b"403",
                    b"404",
                    b"405",
                    b"421",
                ), what
            elif not data.startswith((b"\x15\x03", b"\x16\x03")):
                # A greeting that tells nothing, perhaps with the word that the secrets differ.
                assert len(data) <= len(GREETING) + len(SECRETS_DIFFER), what
                rest = data[len(GREETING) :] if data.startswith(b"HOCKET") else data
                assert rest in (b"", SECRETS_DIFFER), what
        assert not marker.exists()
        # All of it is as it was before.
        assert len(client.gather(kept)) == 4
        assert counter.total().result() == 0
        assert beside.result() is None
        assert len(client.scheduler_info()["workers"]) == 2
        assert client.submit(sum, [1, 2]).result() == 3
    for name, process in cluster.processes.items():
        assert process.poll() is None, cluster.log(name)
        assert "Traceback" not in cluster.log(name)


def key_for(cluster, role):
    secret = read_scheduler_file(cluster.file).secret
    return parse_secret(secret).to_text(role, pin_of(secret))


def test_a_stranger_with_another_secret_is_told_that(cluster):
    address = read_scheduler_file(cluster.file).address
    for secret in ("", "another", key_for(cluster, Role.OBSERVER)):
        with pytest.raises(HandshakeRefused):
            Client(address, secret=secret)
    # One who knows where it is, whose key it shows, and not the secret.
    stranger = msgspec.structs.replace(read_scheduler_file(cluster.file))
    pin = pin_of(stranger.secret)
    forged = parse_secret("guessed").to_text(Role.CLIENT, pin)
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        Client(address, secret=forged)
    cluster.until(lambda: "the secrets differ" in cluster.log("scheduler"))


def test_data_is_not_had_with_a_guessed_key(cluster):
    with Client(scheduler_file=cluster.file) as client:
        kept = client.submit(bytes, 100_000)
        kept.result()
        (place,) = client.who_has(kept)[kept.key]
        pin = pin_of(read_scheduler_file(cluster.file).secret)
        loop = LoopThread()
        try:
            for secret in (
                "another",
                parse_secret("guessed").to_text(Role.CLIENT, pin),
                key_for(cluster, Role.OBSERVER),
            ):

                async def fetch(secret=secret):
                    pool = DataPool(secret, Settings())
                    try:
                        await pool.request(place, FetchData([kept.key]))
                    finally:
                        pool.close()

                with pytest.raises(HandshakeRefused):
                    loop.run(fetch())
        finally:
            loop.close()
