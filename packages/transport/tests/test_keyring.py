"""A secret that was replaced is good for a while; who is connected is told and goes on."""

from __future__ import annotations

import threading

import pytest

from hocket.core.errors import HandshakeRefused
from hocket.protocol.credentials import parse_secret
from hocket.protocol.messages import SecretChanged
from hocket.protocol.roles import Role
from hocket.transport import keyring
from hocket.transport.keyring import current_secret, former_secrets, hear_secret, replace_secret
from hocket.transport.tls import pin_of


@pytest.fixture(autouse=True)
def own_keyring(monkeypatch):
    """See that no other test hears of secrets that are replaced here."""
    monkeypatch.setattr(keyring, "_successors", {})
    monkeypatch.setattr(keyring, "_former", {})


@pytest.fixture
def clock(monkeypatch):
    times = [0.0]
    monkeypatch.setattr(keyring, "monotonic", lambda: times[0])
    return times


def test_whoever_has_any_of_them_finds_the_last(clock):
    assert current_secret("a") == "a"
    assert former_secrets("a") == ()
    replace_secret("a", "b", 10)
    replace_secret("a", "c", 20)
    assert current_secret("a") == current_secret("b") == current_secret("c") == "c"
    for known in ("a", "b", "c"):
        assert former_secrets(known) == ("a", "b")
    clock[0] = 10
    assert former_secrets("a") == ("b",)
    clock[0] = 20
    assert former_secrets("c") == ()
    assert current_secret("other") == "other"


def test_one_that_is_told_twice_is_replaced_once(clock):
    replace_secret("a", "b", 10)
    replace_secret("a", "b", 10)
    replace_secret("b", "b", 10)
    assert current_secret("a") == "b"
    assert former_secrets("b") == ("a",)


def renewed(secret, seed=bytes(range(32))):
    """Return what scheduler, worker and client have after a replacement."""
    fresh = parse_secret(secret).renew(seed)
    pin = pin_of(secret)
    return [fresh.to_text(role, pin) for role in (Role.SCHEDULER, Role.WORKER, Role.CLIENT)]


def test_a_greater_key_that_comes_at_the_same_time_stays(monkeypatch):
    secret = "made"
    scheduler, _, client = renewed(secret)
    other = threading.Thread(target=replace_secret, args=(secret, scheduler, 10))

    def parse(text):
        # What is known is looked at after what was told. The other thread ends here only if it is
        # let in between that and replacing.
        if text != client:
            other.start()
            other.join(0.05)
        return parse_secret(text)

    monkeypatch.setattr(keyring, "parse_secret", parse)
    hear_secret(secret, client, 10)
    other.join()
    assert current_secret(secret) == scheduler


def test_what_is_told_twice_takes_nothing_away():
    _, worker, client = renewed("told")
    secret = parse_secret("told").to_text(Role.WORKER)
    # A worker's process is told for itself, and for clients of its tasks; in any order.
    hear_secret(secret, client, 10)
    assert current_secret(secret) == client
    hear_secret(secret, worker, 10)
    hear_secret(secret, client, 10)
    assert current_secret(secret) == worker
    # Whoever made the new one knows more than it is told.
    scheduler, worker, client = renewed("made")
    hear_secret("made", client, 10)
    replace_secret("made", scheduler, 10)
    for told in (client, worker):
        hear_secret("made", told, 10)
    assert current_secret("made") == scheduler


def test_what_is_told_late_does_not_come_back():
    first, second = renewed("late"), renewed("late", b"2" * 32)
    secret = parse_secret("late").to_text(Role.WORKER)
    # Two sessions of one process are told of two replacements; the second is behind.
    for told in (first[1], second[1], first[2], first[1], second[2]):
        hear_secret(secret, told, 10)
    assert current_secret(secret) == second[1]
    # Not even if the first session was told the lesser key.
    secret = parse_secret("latest").to_text(Role.WORKER)
    for told in (first[2], second[2], first[1], second[1]):
        hear_secret(secret, told, 10)
    assert parse_secret(current_secret(secret)).has(Role.WORKER)
    assert current_secret(secret) == second[1]


def test_who_is_connected_is_told_and_proves_itself_anew(with_bench):
    async def test(bench):
        house = await bench.house("tls", secret="keyring-1")
        client = parse_secret("keyring-1").to_text(Role.CLIENT, pin_of("keyring-1"))
        channel, recorder = await house.connect(secret=client)
        scheduler_text, _, client_text = renewed("keyring-1")
        replace_secret("keyring-1", scheduler_text, 0.0)
        house.channels[0].send([SecretChanged(client_text)])
        await bench.until(lambda: current_secret(client) == client_text)
        # It is no message for whoever has the channel.
        assert recorder.messages == []
        # The connection is cut, and made again with the new key alone.
        house.channels[0]._wire.transport.abort()
        await recorder.until(lambda notes: notes.resumptions)
        assert channel.connected
        # Whoever was not told is not let in any more.
        stranger = parse_secret("keyring-1").to_text(Role.WORKER)
        with pytest.raises(HandshakeRefused, match="the secrets differ"):
            await house.connect(secret=stranger, role=Role.WORKER)

    with_bench(test)


def test_who_was_not_told_is_let_in_for_a_while(with_bench):
    async def test(bench):
        house = await bench.house("tls", secret="keyring-2")
        old = parse_secret("keyring-2").to_text(Role.WORKER)
        scheduler_text, worker_text, _ = renewed("keyring-2")
        replace_secret("keyring-2", scheduler_text, 1000.0)
        for secret in (old, worker_text):
            channel, _ = await house.connect(secret=secret, role=Role.WORKER)
            assert channel.peer.role is Role.SCHEDULER

    with_bench(test)


def test_data_is_had_with_the_old_and_the_new_key(with_bench):
    async def test(bench):
        async with bench.data_plane("tls", {"k": [b"v"]}, secret=renewed("s")[2]) as plane:
            with pytest.raises(HandshakeRefused, match="the secrets differ"):
                await plane.fetch("k")
            replace_secret("s", renewed("s")[1], 1000.0)
            await plane.fetch("k")
            plane.pool.close()
        async with bench.data_plane("tls", {"k": [b"v"]}) as plane:
            await plane.fetch("k")

    with_bench(test)


def test_what_is_no_secret_replaces_none(with_bench):
    async def test(bench):
        house = await bench.house("tls", secret="keyring-3")
        client = parse_secret("keyring-3").to_text(Role.CLIENT, pin_of("keyring-3"))
        channel, recorder = await house.connect(secret=client)
        house.channels[0].send([SecretChanged("hocket-key:client:nonsense")])
        await recorder.until(lambda notes: notes.closed)
        assert channel.closed
        assert current_secret(client) == client

    with_bench(test)
