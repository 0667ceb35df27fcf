"""Who may look: names, origins, logins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.settings import Settings
from hocket.diagnostics.web.guard import Guard
from hocket.diagnostics.web.reach import is_loopback, needs_login
from hocket.protocol.login import bearer_word, mint_login, mint_pass

SECRET = "a secret"


def guard(now_s=1000.0, **options):
    settings = {"needs_login": True, "names": ["dash.example.org"], "now": lambda: now_s}
    return Guard(SECRET, **{**settings, **options})


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("127.0.0.1:8787", True),
        ("[::1]:8787", True),
        ("192.168.1.7", True),
        ("dash.example.org:443", True),
        ("evil.example", False),
        ("evil.example:8787", False),
        ("localhost.evil.example", False),
        ("localhost@evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("localhost:port", False),
        ("[::1", False),
        ("localhost/x", False),
    ],
)
def test_only_our_names_and_addresses_are_ours(host, ours):
    assert guard().is_ours(host) is ours


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://localhost:8787", True),
        ("https://localhost:8787", True),
        ("http://localhost:9999", False),
        ("http://localhost", False),
        ("http://evil.example", False),
        ("http://evil.example:8787", False),
        ("null", False),
        ("", False),
        ("file://localhost:8787", False),
        ("http://[", False),
    ],
)
def test_a_websocket_comes_from_our_own_pages(origin, same):
    assert guard().is_same_origin(origin, "localhost:8787") is same


def test_a_login_opens_once_and_gives_a_pass():
    one = guard()
    login = mint_login(SECRET, "nonce", 1100.0)
    word = one.log_in(login)
    assert word is not None
    assert one.is_known(word, "")
    assert one.log_in(login) is None


def test_logins_and_passes_expire():
    assert guard(2000.0).log_in(mint_login(SECRET, "nonce", 1100.0)) is None
    assert not guard(2000.0).is_known(mint_pass(SECRET, 1100.0), "")


@pytest.mark.parametrize("word", ["", ".", "..", "a.b.c", "nonce.9999999999.00", "9999999999.00"])
def test_what_was_made_up_opens_nothing(word):
    assert guard().log_in(word) is None
    assert not guard().is_known(word, f"Bearer {word}")


@given(st.text())
def test_no_text_opens_anything(word):
    assert guard().log_in(word) is None
    assert not guard().is_known(word, word)


def test_words_of_another_cluster_or_another_kind_open_nothing():
    one = guard()
    assert one.log_in(mint_login("another", "nonce", 1100.0)) is None
    assert not one.is_known(mint_login(SECRET, "nonce", 1100.0), "")
    assert one.log_in(f"nonce.{mint_pass(SECRET, 1100.0)}") is None


def test_programs_send_a_bearer_word():
    assert guard().is_known("", f"Bearer {bearer_word(SECRET)}")
    assert not guard().is_known("", f"Basic {bearer_word(SECRET)}")


def test_without_a_secret_nobody_gets_in_where_a_login_is_needed():
    one = Guard("", needs_login=True, names=(), now=lambda: 1000.0)
    assert one.log_in(mint_login("", "nonce", 1100.0)) is None
    assert not one.is_known(mint_pass("", 1100.0), f"Bearer {bearer_word('')}")


def test_on_loopback_nobody_logs_in_unless_told():
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.0.2.1")
    assert not is_loopback("no such host.invalid")
    assert guard(needs_login=False).is_known("", "")
    assert not needs_login(Settings(), "127.0.0.1")
    always = Settings.build(overrides={"diagnostics.login": "always"})
    assert needs_login(always, "127.0.0.1")
