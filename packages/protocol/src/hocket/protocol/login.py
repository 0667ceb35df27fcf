"""Logging in to a dashboard: words that only who knows the cluster's secret can make.

* A **login** opens a dashboard once: it goes into a link, and the server turns it into a cookie. It
  is ``nonce.expiry.signature``; a server takes each nonce once, and none that has expired.
* A **pass** is what the cookie holds: ``expiry.signature``. All dashboards of a cluster take it.
* The **bearer** word is for programs that cannot log in, such as Prometheus.

None of them reveals the secret: signatures are HMAC with SHA-256 under different labels.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from hocket.protocol.credentials import parse_secret
from hocket.protocol.roles import Role

__all__ = [
    "LOGIN_LIFE_S",
    "bearer_word",
    "check_login",
    "check_pass",
    "mint_login",
    "mint_pass",
    "open_link",
]

#: How long a login is good, in seconds.
LOGIN_LIFE_S: Final = 600.0

_LOGIN: Final = b"hocket dashboard login 1\0"
_PASS: Final = b"hocket dashboard pass 1\0"
_BEARER: Final = b"hocket dashboard bearer 1\0"

_WORD_LENGTH_MAX: Final = 300


def mint_login(secret: str, nonce: str, expires_s: float) -> str:
    """Return a login that is good for one visit.

    Parameters
    ----------
    secret
        The cluster's.
    nonce
        A fresh random word of letters, digits, ``-`` and ``_``.
    expires_s
        Until when, in seconds since the epoch.
    """
    body = f"{nonce}.{int(expires_s)}"
    return f"{body}.{_sign(secret, _LOGIN, body)}"


def open_link(link: str, secret: str, nonce: str, expires_s: float) -> str:
    """Return a link that opens a dashboard: one that ends in ``login`` gets a login.

    Parameters
    ----------
    link
        As a scheduler tells it; empty if it has no pages.
    secret, nonce, expires_s
        As for `mint_login`.
    """
    if not link.endswith("/login"):
        return link
    return f"{link}?token={mint_login(secret, nonce, expires_s)}"


def check_login(secret: str, word: str, now_s: float) -> tuple[str, float] | None:
    """Return nonce and expiry of a login, or None if it is not one, or too old."""
    body, _, signature = word[:_WORD_LENGTH_MAX].rpartition(".")
    nonce, _, expiry = body.partition(".")
    if not nonce or not _is_signed(secret, _LOGIN, body, signature):
        return None
    return (nonce, float(expiry)) if _is_future(expiry, now_s) else None


def mint_pass(secret: str, expires_s: float) -> str:
    """Return a pass that is good until a time in seconds since the epoch."""
    body = str(int(expires_s))
    return f"{body}.{_sign(secret, _PASS, body)}"


def check_pass(secret: str, word: str, now_s: float) -> bool:
    """Whether this is a pass that has not expired."""
    body, _, signature = word[:_WORD_LENGTH_MAX].partition(".")
    return _is_signed(secret, _PASS, body, signature) and _is_future(body, now_s)


def bearer_word(secret: str) -> str:
    """Return the word that a program sends as ``Authorization: Bearer ...``."""
    return _sign(secret, _BEARER, "")


def _sign(secret: str, label: bytes, body: str) -> str:
    # The weakest key: all of the cluster have it, whatever they were handed out.
    key = parse_secret(secret).key(Role.OBSERVER)
    return hmac.new(key, label + body.encode(), hashlib.sha256).hexdigest()


def _is_signed(secret: str, label: bytes, body: str, signature: str) -> bool:
    expected = _sign(secret, label, body)
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode())


def _is_future(expiry: str, now_s: float) -> bool:
    return expiry.isdecimal() and expiry.isascii() and now_s < int(expiry)
