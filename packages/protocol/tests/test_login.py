"""Words that open a dashboard: made by who knows the secret, and good for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.login import (
    bearer_word,
    check_login,
    check_pass,
    mint_login,
    mint_pass,
    open_link,
)

secrets = st.text(min_size=1)
nonces = st.text("abcXYZ019-_", min_size=1, max_size=40)


@given(secrets, nonces, st.integers(1, 10**10))
def test_a_login_is_read_by_who_knows_the_secret(secret, nonce, expires_s):
    word = mint_login(secret, nonce, expires_s)
    assert check_login(secret, word, expires_s - 1) == (nonce, expires_s)
    assert check_login(secret, word, expires_s) is None
    assert check_login(secret + "x", word, 0) is None
    assert check_login(secret, word[:-1], 0) is None


@given(secrets, st.integers(1, 10**10))
def test_a_pass_is_no_login_and_expires(secret, expires_s):
    word = mint_pass(secret, expires_s)
    assert check_pass(secret, word, expires_s - 1)
    assert not check_pass(secret, word, expires_s)
    assert check_login(secret, word, 0) is None
    assert not check_pass(secret, mint_login(secret, "n", expires_s), 0)


@pytest.mark.parametrize("word", ["", ".", "1", "1.", ".x", "²." + "0" * 64, "9" * 400])
def test_what_is_none_is_refused(word):
    assert check_login("s", word, 0) is None
    assert not check_pass("s", word, 0)


def test_nothing_opens_without_a_secret():
    assert check_login("", mint_login("", "n", 10), 0) is None
    assert not check_pass("", mint_pass("", 10), 0)
    assert bearer_word("a") != bearer_word("b")


def test_only_links_that_ask_for_it_get_a_login():
    assert open_link("http://127.0.0.1:1/", "s", "n", 10) == "http://127.0.0.1:1/"
    assert open_link("", "s", "n", 10) == ""
    link = open_link("http://h:1/login", "s", "n", 10)
    assert check_login("s", link.removeprefix("http://h:1/login?token="), 0) == ("n", 10)
