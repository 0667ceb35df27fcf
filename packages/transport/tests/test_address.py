"""Addresses are read and written; what is none is refused, and what is local is known as such."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.transport import Address, is_same_host, parse
from hocket.transport.address import is_loopback

GOOD = {
    "tcp://127.0.0.1:8786": Address("tcp", "127.0.0.1", 8786),
    "tcp://host.example:0": Address("tcp", "host.example", 0),
    "tcp://[::1]:65535": Address("tcp", "::1", 65535),
    "tcp://[fe80::1%eth0]:1": Address("tcp", "fe80::1%eth0", 1),
    "unix:///run/hocket": Address("unix", path="/run/hocket"),
    "inproc://some name": Address("inproc", path="some name"),
}


@pytest.mark.parametrize("text", GOOD)
def test_an_address_is_read_and_written(text):
    assert parse(text) == GOOD[text]
    assert str(parse(text)) == text


def test_without_a_scheme_it_is_tcp():
    assert str(parse("localhost:8786")) == "tcp://localhost:8786"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "tcp://localhost",
        "tcp://:1",
        "tcp://h:",
        "tcp://h:65536",
        "tcp://h:-1",
        "tcp://h:+1",
        "tcp://h: 1",
        "tcp://h:1_0",
        "tcp://h:\u0661",
        "tcp://::1:80",
        "tcp://[::1:80",
        "tcp://[h]:80",
        "tcp://h h:80",
        "tcp://user@h:80",
        "tcp://h/path:80",
        "tcp://" + "h" * 64 + ":80",
        "tcp://a..b:80",
        "tcp://" + "h." * 200 + ":80",
        "unix://",
        "unix://relative/path",
        "unix:///" + "p" * 103,
        "unix:///p\0",
        "inproc://",
        "udp://h:1",
        "://h:1",
        "x" * 10_000,
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert caught.value.name == "address"
    assert len(str(caught.value)) < 600


@given(st.text(max_size=60), st.sampled_from(["", "tcp://", "unix:///", "inproc://", "tcp://["]))
def test_any_text_is_an_address_or_refused(text, scheme):
    with contextlib.suppress(SettingsError):
        address = parse(scheme + text)
        assert parse(str(address)) == address


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("localhost", False),
    ],
)
def test_only_numeric_loopback_addresses_are_known_to_be_local(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", True),
        ("tcp://10.0.0.1:1", "tcp://10.0.0.1:2", True),
        ("tcp://10.0.0.1:1", "tcp://10.0.0.2:1", False),
        ("unix:///a", "unix:///a", True),
        ("inproc://a", "inproc://a", True),
    ],
)
def test_which_ends_lie_on_one_host(ours, theirs, same):
    assert is_same_host(parse(ours), parse(theirs)) is same
