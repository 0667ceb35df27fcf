"""Only who knows the secret gets through the handshake, and nothing is understood before."""

from __future__ import annotations

import contextlib
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import HandshakeRefused, LocalProtocolError
from hocket.protocol import handshake
from hocket.protocol.handshake import HandshakeAcceptor, HandshakeConnector, Plane

NONCES = (bytes(range(32)), bytes(range(32, 64)))


def sides(connector_secret="s", acceptor_secret="s", plane=Plane.CONTROL):
    return (
        HandshakeConnector("tcp://a:1", connector_secret, NONCES[0], plane),
        HandshakeAcceptor("tcp://c:2", acceptor_secret, NONCES[1], Plane.CONTROL),
    )


def talk(connector, acceptor, sizes=(1000,)):
    """Carry bytes to and fro in pieces of these sizes; return both sides' errors."""
    to_acceptor, to_connector = connector.begin(), b""
    errors: list[HandshakeRefused | None] = [None, None]
    turn = 0
    while to_acceptor or to_connector:
        size = sizes[turn % len(sizes)]
        turn += 1
        piece, to_acceptor = to_acceptor[:size], to_acceptor[size:]
        if piece and not acceptor.done and errors[1] is None:
            try:
                to_connector += acceptor.feed(piece)
            except HandshakeRefused as error:
                errors[1] = error
                to_connector += acceptor.farewell
        piece, to_connector = to_connector[:size], to_connector[size:]
        if piece and not connector.done and errors[0] is None:
            try:
                to_acceptor += connector.feed(piece)
            except HandshakeRefused as error:
                errors[0] = error
    return errors


@given(st.text(max_size=40), st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_equal_secrets_agree_at_any_split(secret, sizes):
    connector, acceptor = sides(secret, secret)
    assert talk(connector, acceptor, sizes) == [None, None]
    assert connector.done
    assert acceptor.done
    assert connector.leftover() == acceptor.leftover() == b""


@pytest.mark.parametrize(("ours", "theirs"), [("a", "b"), ("", "b"), ("a", ""), ("a", "a ")])
def test_other_secrets_are_refused_on_both_sides(ours, theirs):
    connector, acceptor = sides(ours, theirs)
    errors = talk(connector, acceptor)
    assert all("the secrets differ" in error.reason for error in errors)
    assert [error.address for error in errors] == ["tcp://a:1", "tcp://c:2"]
    assert not connector.done
    assert not acceptor.done


def test_another_version_is_refused_and_both_are_named(monkeypatch):
    connector, _ = sides()
    monkeypatch.setattr(handshake, "PROTOCOL_VERSION", 9)
    _, acceptor = sides()
    errors = []
    with pytest.raises(HandshakeRefused) as caught:
        acceptor.feed(connector.begin())
    errors.append(caught.value.reason)
    monkeypatch.undo()
    with pytest.raises(HandshakeRefused) as caught:
        connector.feed(acceptor.farewell)
    errors.append(caught.value.reason)
    assert "speaks version 1" in errors[0]
    assert "we speak 9" in errors[0]
    assert "speaks version 9" in errors[1]
    assert "we speak 1" in errors[1]


def test_a_connection_for_the_other_plane_is_refused_on_both_sides():
    errors = talk(*sides(plane=Plane.DATA))
    assert "plane 2" in errors[1].reason
    assert "plane 1" in errors[0].reason


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\0", b"HOCKEY", b"\x16\x03\x01", b"hocket"]
)
def test_another_protocol_is_refused_at_its_first_bytes_and_gets_no_answer(data):
    _, acceptor = sides()
    with pytest.raises(HandshakeRefused, match="does not speak hocket"):
        acceptor.feed(data)
    assert acceptor.farewell == b""


@given(st.binary(max_size=300), st.booleans())
def test_garbage_raises_nothing_but_a_refusal(data, looks_right):
    for side in sides():
        with contextlib.suppress(HandshakeRefused):
            side.feed(b"HOCKET\0\1\1" + data if looks_right else data)
        assert not side.done


@given(st.integers(0, 47), st.integers(1, 255))
def test_a_greeting_that_was_changed_on_the_way_is_noticed(place, difference):
    # Whatever a man in the middle changes, the two transcripts differ, and so do the proofs.
    connector, acceptor = sides()
    greeting = bytearray(connector.begin())
    greeting[place] ^= difference
    with pytest.raises(HandshakeRefused):
        acceptor.feed(connector.feed(acceptor.feed(greeting)))


@given(st.integers(0, 31), st.integers(1, 255))
def test_a_proof_with_one_wrong_byte_is_refused(place, difference):
    connector, acceptor = sides()
    proof = bytearray(connector.feed(acceptor.feed(connector.begin())))
    proof[place] ^= difference
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        acceptor.feed(proof)


@given(st.integers(0, 32), st.integers(1, 255))
def test_a_verdict_with_one_wrong_byte_is_refused(place, difference):
    connector, acceptor = sides()
    verdict = bytearray(acceptor.feed(connector.feed(acceptor.feed(connector.begin()))))
    verdict[place] ^= difference
    with pytest.raises(HandshakeRefused):
        connector.feed(verdict)
    assert not connector.done


def test_a_proof_sent_back_to_its_maker_proves_nothing():
    connector, acceptor = sides()
    proof = connector.feed(acceptor.feed(connector.begin()))
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        connector.feed(b"\0" + proof)


def test_a_recorded_proof_does_not_serve_again():
    connector, acceptor = sides()
    greeting = connector.begin()
    proof = connector.feed(acceptor.feed(greeting))
    later = HandshakeAcceptor("tcp://c:2", "s", bytes(32), Plane.CONTROL)
    later.feed(greeting)
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        later.feed(proof)


def test_the_proof_is_what_the_docstring_says():
    connector, acceptor = sides()
    greetings = [connector.begin()]
    greetings.append(acceptor.feed(greetings[0]))
    label = b"hocket handshake 1: the connector knows the secret\0"
    # The client's key, by way of the scheduler's and the worker's.
    key = b"s"
    for purpose in (b"scheduler", b"worker", b"client"):
        key = hmac.digest(key, b"hocket key 1: " + purpose, hashlib.sha256)
    proof = hmac.digest(key, label + b"".join(greetings), hashlib.sha256)
    assert connector.feed(greetings[1]) == proof


def test_bytes_after_the_end_are_left_over():
    connector, acceptor = sides()
    proof = connector.feed(acceptor.feed(connector.begin()))
    verdict = acceptor.feed(proof + b"more of the connector's")
    connector.feed(verdict + b"more of the acceptor's")
    assert acceptor.leftover() == b"more of the connector's"
    assert connector.leftover() == b"more of the acceptor's"
    with pytest.raises(LocalProtocolError):
        connector.feed(b"x")


def test_a_nonce_has_its_size():
    with pytest.raises(LocalProtocolError):
        HandshakeConnector("tcp://a:1", "s", b"short", Plane.CONTROL)
