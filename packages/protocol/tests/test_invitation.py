"""An invitation comes back from a file and from a token; what is none is refused unseen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.protocol.invitation import (
    TOKEN_PREFIX,
    Invitation,
    decode_invitation,
    encode_invitation,
    from_token,
    is_token,
    to_token,
)

TEXT = st.text(min_size=1, max_size=40)
INVITATIONS = st.builds(
    Invitation,
    cluster=TEXT,
    addresses=st.lists(TEXT, min_size=1, max_size=4),
    secret=st.text(max_size=80),
)


@given(INVITATIONS)
def test_both_forms_come_back(invitation):
    assert decode_invitation(encode_invitation(invitation), "f") == invitation
    token = to_token(invitation)
    assert is_token(token)
    assert from_token(f" {token}\n") == invitation


@given(INVITATIONS, st.data())
def test_a_token_of_which_a_part_is_missing_is_refused(invitation, data):
    token = to_token(invitation)
    cut = data.draw(st.integers(0, len(token) - 1))
    with pytest.raises(SettingsError, match="hocket token prints one"):
        from_token(token[:cut])


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_not_shown(content):
    with pytest.raises(SettingsError, match="holds no invitation") as caught:
        decode_invitation(b"\xff" + content, "the file")
    assert caught.value.__cause__ is None
    with pytest.raises(SettingsError):
        from_token(TOKEN_PREFIX + content.hex())


def test_what_is_too_long_is_not_read():
    with pytest.raises(SettingsError):
        decode_invitation(b" " * 100_000 + b"{}", "f")


def test_the_secret_is_not_shown():
    invitation = Invitation(cluster="c", addresses=["tcp://h:1"], secret="s3cret")
    assert "s3cret" not in repr(invitation)
    assert "***" in repr(invitation)
