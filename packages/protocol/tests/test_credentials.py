"""Each role has a key; who has a stronger one can make the weaker ones, and never the reverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import HandshakeRefused, SettingsError
from hocket.protocol.credentials import PREFIX, parse_secret
from hocket.protocol.handshake import HandshakeAcceptor, HandshakeConnector, Plane
from hocket.protocol.roles import Role

ORDER = [Role.SCHEDULER, Role.WORKER, Role.CLIENT, Role.OBSERVER]
PIN = bytes(range(32))


@given(st.text(max_size=50).filter(lambda text: not text.startswith(PREFIX)), st.data())
def test_a_weaker_roles_text_gives_the_keys_of_its_role_and_below_alone(secret, data):
    whole = parse_secret(secret)
    role = data.draw(st.sampled_from(ORDER))
    handed_out = parse_secret(whole.to_text(role, PIN))
    for other in ORDER:
        assert handed_out.has(other) == (ORDER.index(other) >= ORDER.index(role))
        if handed_out.has(other):
            assert handed_out.key(other) == whole.key(other)
    assert len({whole.key(other) for other in ORDER}) == len(ORDER)


def test_servers_get_the_seed_and_others_the_pin():
    whole = parse_secret("s")
    worker = parse_secret(whole.to_text(Role.WORKER))
    assert (worker.seed, worker.pin) == (whole.seed, b"")
    client = parse_secret(worker.to_text(Role.CLIENT, PIN))
    assert (client.seed, client.pin) == (b"", PIN)
    # A client hands on what it knows.
    assert parse_secret(client.to_text(Role.OBSERVER)).pin == PIN


def test_keys_change_and_the_identity_stays():
    old = parse_secret("old")
    fresh = parse_secret("fresh")
    text = f"{PREFIX}:scheduler:{fresh.to_text(Role.SCHEDULER).split(':')[2]}:"
    mixed = parse_secret(text + old.to_text(Role.SCHEDULER).split(":")[3])
    assert mixed.key(Role.CLIENT) == fresh.key(Role.CLIENT)
    assert mixed.seed == old.seed


@pytest.mark.parametrize(
    "rest",
    ["", "client", "client:abc", "client:####:####", "king:a:b", "client:YQ:YQ", "a:b:c:d:e"],
)
def test_text_that_is_cut_short_is_refused_and_not_shown(rest):
    with pytest.raises(SettingsError, match="a part of it is missing") as caught:
        parse_secret(f"{PREFIX}:{rest}")
    assert not rest or rest not in str(caught.value)


def test_nothing_of_a_secret_is_shown():
    assert "s3cret" not in repr(parse_secret("s3cret"))
    key = parse_secret("s3cret").key(Role.WORKER)
    assert repr(key)[2:10] not in repr(parse_secret("s3cret"))


def let_in(connector_secret, role, acceptor_secret, *, plane=Plane.CONTROL, former=()):
    connector = HandshakeConnector("tcp://a:1", connector_secret, bytes(32), plane, role)
    acceptor = HandshakeAcceptor("tcp://c:2", acceptor_secret, bytes(range(32)), plane, former)
    connector.feed(acceptor.feed(connector.feed(acceptor.feed(connector.begin()))))
    return acceptor.role


@pytest.mark.parametrize("held", ORDER)
@pytest.mark.parametrize("role", ORDER)
def test_a_role_is_let_in_with_its_key_or_a_stronger_one(held, role):
    secret = parse_secret("s").to_text(held, PIN)
    if ORDER.index(held) <= ORDER.index(role):
        assert let_in(secret, role, "s") is role
    else:
        with pytest.raises(HandshakeRefused, match="is that of a role"):
            let_in(secret, role, "s")


def test_a_client_that_lies_about_its_key_is_not_let_in_as_a_worker(monkeypatch):
    client = parse_secret("s").to_text(Role.CLIENT, PIN)
    liar = HandshakeConnector("tcp://a:1", client, bytes(32), Plane.CONTROL, Role.CLIENT)
    honest = HandshakeConnector("tcp://a:1", "other", bytes(32), Plane.CONTROL, Role.WORKER)
    # It greets as a worker and proves with what it has.
    liar._greeting = honest._greeting
    acceptor = HandshakeAcceptor("tcp://c:2", "s", bytes(range(32)), Plane.CONTROL)
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        acceptor.feed(liar.feed(acceptor.feed(liar.begin())))


def test_a_worker_serves_data_to_clients_and_not_to_observers():
    worker = parse_secret("s").to_text(Role.WORKER)
    client = parse_secret("s").to_text(Role.CLIENT, PIN)
    observer = parse_secret("s").to_text(Role.OBSERVER, PIN)
    assert let_in(client, Role.CLIENT, worker, plane=Plane.DATA) is Role.CLIENT
    assert let_in(worker, Role.CLIENT, worker, plane=Plane.DATA) is Role.CLIENT
    with pytest.raises(HandshakeRefused, match="is that of a role"):
        let_in(observer, Role.CLIENT, worker, plane=Plane.DATA)
    with pytest.raises(HandshakeRefused, match="of role 4"):
        let_in(observer, Role.OBSERVER, worker, plane=Plane.DATA)


def test_former_secrets_are_good_as_long_as_they_are_named():
    assert let_in("old", Role.CLIENT, "new", former=["older", "old"]) is Role.CLIENT
    assert let_in("new", Role.CLIENT, "new", former=["old"]) is Role.CLIENT
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        let_in("old", Role.CLIENT, "new")
