"""A connection opens with the handshake, Hello and Welcome, however its bytes are split."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import HandshakeRefused, RemoteProtocolError
from hocket.protocol.framing import Frame, FrameKind, FrameReader, encode_header
from hocket.protocol.hello import (
    HELLO_NBYTES_MAX,
    Hello,
    Refusal,
    Welcome,
    decode_hello,
    decode_welcome,
    encode_hello,
    encode_welcome,
)
from hocket.protocol.opening import OpeningAcceptor, OpeningConnector
from hocket.protocol.roles import Role
from hocket.protocol.versions import OUR_VERSIONS

HELLO = Hello(Role.WORKER, "w-1", b"i" * 16, OUR_VERSIONS, resumes=True, seen=17)
WELCOME = Welcome(Role.SCHEDULER, "s", OUR_VERSIONS, seen=4)


def sides(secret="s"):
    return (
        OpeningConnector("tcp://a:1", "s", bytes(32), HELLO),
        OpeningAcceptor("tcp://c:2", secret, bytes(range(32))),
    )


@given(st.lists(st.integers(1, 200), min_size=1, max_size=10), st.binary(max_size=100))
def test_both_sides_learn_of_each_other_at_any_split(sizes, more):
    connector, acceptor = sides()
    to_acceptor, to_connector = connector.begin(), b""
    answered = False
    turn = 0
    while to_acceptor or to_connector:
        size = sizes[turn % len(sizes)]
        turn += 1
        if to_acceptor:
            to_connector += acceptor.feed(to_acceptor[:size])
            to_acceptor = to_acceptor[size:]
        if acceptor.hello is not None and not answered:
            answered = True
            to_connector += encode_welcome(WELCOME) + more
        if to_connector and connector.welcome is None:
            to_acceptor += connector.feed(to_connector[:size])
            to_connector = to_connector[size:]
        elif to_connector:
            break
    assert acceptor.hello == HELLO
    assert connector.welcome == WELCOME
    # Of what came after, a part may have come along with the welcome.
    assert connector.leftover() + to_connector == more


def authenticated_acceptor():
    connector, acceptor = sides()
    acceptor.feed(connector.feed(acceptor.feed(connector.begin())))
    assert acceptor.authenticated
    return acceptor


def test_nothing_is_parsed_before_the_peer_has_proved_itself():
    acceptor = sides()[1]
    assert not acceptor.authenticated
    with pytest.raises(HandshakeRefused):
        acceptor.feed(encode_hello(HELLO))
    assert acceptor.hello is None


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 32,
        encode_welcome(WELCOME),
        encode_header(FrameKind.HELLO, 0, 0, HELLO_NBYTES_MAX + 1),
        encode_header(FrameKind.HELLO, 0, 0, 1 << 60),
        encode_header(FrameKind.HELLO, 0, 0, 3) + b"\xc1\xc1\xc1",
        encode_header(FrameKind.HELLO, 0, 0, 1) + b"\x90",
    ],
)
def test_an_authenticated_peer_that_says_nonsense_is_refused(data):
    acceptor = authenticated_acceptor()
    with pytest.raises(HandshakeRefused):
        acceptor.feed(data)
    assert acceptor.farewell == b""


@given(st.binary(max_size=200))
def test_garbage_in_place_of_a_hello_raises_nothing_but_a_refusal(data):
    acceptor = authenticated_acceptor()
    with contextlib.suppress(HandshakeRefused):
        acceptor.feed(encode_header(FrameKind.HELLO, 0, 0, len(data)) + data)
        assert acceptor.hello is not None


def test_a_refusal_of_the_handshake_has_its_farewell():
    connector, acceptor = sides("another")
    proof = connector.feed(acceptor.feed(connector.begin()))
    with pytest.raises(HandshakeRefused):
        acceptor.feed(proof)
    with pytest.raises(HandshakeRefused, match="the secrets differ"):
        connector.feed(acceptor.farewell)


@pytest.mark.parametrize(
    "data", [b"x" * 32, encode_hello(HELLO), encode_header(FrameKind.WELCOME, 0, 0, 1) + b"\x90"]
)
def test_an_acceptor_that_says_nonsense_is_refused(data):
    connector, acceptor = sides()
    verdict = acceptor.feed(connector.feed(acceptor.feed(connector.begin())))
    with pytest.raises(HandshakeRefused):
        connector.feed(verdict + data)
    assert connector.welcome is None


def frame_of(data: bytes) -> Frame:
    (frame,) = FrameReader(HELLO_NBYTES_MAX).feed(data)
    return frame


def test_hello_and_welcome_come_back():
    assert decode_hello(frame_of(encode_hello(HELLO))) == HELLO
    refusal = Welcome(Role.SCHEDULER, "s", OUR_VERSIONS, Refusal.UNFIT, "why", 3, "a-Cluster_1")
    assert decode_welcome(frame_of(encode_welcome(refusal))) == refusal
    assert decode_welcome(frame_of(encode_welcome(WELCOME))).cluster_id == ""


@pytest.mark.parametrize("cluster_id", ["a b", "a\n", "../a", "é", "x" * 101, 7, None])
def test_a_malformed_id_of_a_cluster_is_refused(cluster_id):
    welcome = Welcome(Role.SCHEDULER, "s", OUR_VERSIONS, cluster_id=cluster_id)
    with pytest.raises(RemoteProtocolError, match="a welcome does not fit"):
        decode_welcome(frame_of(encode_welcome(welcome)))


@pytest.mark.parametrize(
    "hello",
    [
        Hello(9, "n", b"i" * 16, OUR_VERSIONS),  # type: ignore[arg-type]
        Hello(Role.CLIENT, "n" * 300, b"i" * 16, OUR_VERSIONS),
        Hello(Role.CLIENT, "n", b"i" * 15, OUR_VERSIONS),
        Hello(Role.CLIENT, "n", b"i" * 17, OUR_VERSIONS),
        Hello(Role.CLIENT, "n", b"i" * 16, OUR_VERSIONS, seen=-1),
        Hello(Role.CLIENT, "n", b"i" * 16, OUR_VERSIONS, seen=1 << 63),
        Hello(Role.CLIENT, None, b"i" * 16, OUR_VERSIONS),  # type: ignore[arg-type]
    ],
)
def test_a_hello_out_of_bounds_is_refused(hello):
    with pytest.raises(RemoteProtocolError, match="a hello does not fit"):
        decode_hello(frame_of(encode_hello(hello)))


def test_a_longer_hello_of_a_later_version_is_understood():
    # Fields may be added at the end without a new version of the protocol.
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(HELLO))
    payload = msgspec.msgpack.encode([*fields, "news"])
    assert decode_hello(Frame(FrameKind.HELLO, 0, 0, 0, payload)) == HELLO
