"""Another secret for a cluster on this machine: all goes on, and the old one lets nobody in."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from hocket.client import Client, get_client
from hocket.core.errors import HandshakeRefused
from hocket.deploy import LocalCluster
from hocket.protocol.credentials import parse_secret
from hocket.protocol.roles import Role
from hocket.transport.tls import pin_of

#: Another process, which was told nothing, with a secret in its environment.
STRANGER = """
import os, sys
from hocket.client import Client
from hocket.core.errors import HandshakeRefused
try:
    with Client(sys.argv[1], secret=os.environ["OLD"]) as client:
        print(client.submit(sum, [1, 2]).result(timeout=30))
except HandshakeRefused as error:
    print("the secrets differ" in str(error))
"""


def as_stranger(address, secret):
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, address],
        env={**os.environ, "OLD": secret},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert not done.stderr
    return done.stdout.strip()


def nested():
    """Use the cluster from within a task."""
    return get_client().submit(sum, [1, 2]).result(timeout=30)


@pytest.mark.slow
def test_all_goes_on_and_the_old_one_lets_nobody_in():
    settings = {"security.rotation_grace_s": 2.0}
    with LocalCluster(1, 2, settings=settings) as cluster, Client(cluster) as client:
        assert client.submit(nested).result(timeout=30) == 3
        held = client.submit(bytes, 300_000)
        old = [
            cluster.secret,
            parse_secret(cluster.secret).to_text(Role.CLIENT, pin_of(cluster.secret)),
        ]
        cluster.replace_secret()
        replaced_s = time.monotonic()
        assert cluster.secret not in old
        # For a while it is good, for whoever is on the way.
        assert as_stranger(cluster.address, old[0]) == "3"
        # Who is there goes on, tasks that use the cluster among it; and new ones come.
        assert client.submit(nested, pure=False).result(timeout=30) == 3
        cluster.scale(2)
        there = client.submit(len, held, workers="worker-1", pure=False)
        assert there.result(timeout=30) == 300_000
        with Client(cluster) as other:
            assert other.submit(sum, [2, 2]).result(timeout=30) == 4
        time.sleep(max(0.0, replaced_s + 2.0 - time.monotonic()))
        for one in old:
            assert as_stranger(cluster.address, one) == "True"
        assert as_stranger(cluster.address, cluster.secret) == "3"
        # Again, and the worker that came last goes on, too.
        cluster.replace_secret()
        assert client.submit(nested, workers="worker-1", pure=False).result(timeout=30) == 3


def test_so_it_is_where_all_are_threads_of_one_process():
    settings = {"security.rotation_grace_s": 0.0}
    with LocalCluster(1, 1, processes=False, settings=settings) as cluster:
        stranger = parse_secret(cluster.secret).to_text(Role.CLIENT, pin_of(cluster.secret))
        with Client(cluster) as client:
            cluster.replace_secret()
            assert client.submit(nested).result(timeout=30) == 3
            cluster.scale(2)
            assert client.submit(sum, [1], workers="worker-1").result(timeout=30) == 1
        with pytest.raises(HandshakeRefused, match="the secrets differ"):
            Client(cluster.address, secret=stranger)


def test_an_asynchronous_cluster_is_awaited():
    import asyncio  # noqa: PLC0415

    async def main():
        async with LocalCluster(1, 1, processes=False, asynchronous=True) as cluster:
            before = cluster.secret
            await cluster.replace_secret()
            assert cluster.secret != before

    asyncio.run(main())
