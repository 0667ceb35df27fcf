"""Who may look: the checks that every request passes before anything else sees it.

* **Host.** A name in the ``Host`` header must be one of ours, else a page from elsewhere could have
  its own name point at this host and read what it is not to (DNS rebinding). An address in figures
  cannot be pointed elsewhere, and is let through.
* **Origin.** A websocket is opened by pages from the same host and port only.
* **Login.** Where others can connect, a login from a link, once; then a cookie. Programs send a
  bearer word.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

from hocket.protocol.login import bearer_word, check_login, check_pass, mint_pass
from hocket.transport.keyring import current_secret

__all__ = ["COOKIE", "PASS_LIFE_S", "Guard"]

#: The cookie that holds the pass.
COOKIE: Final = "hocket_pass"
#: How long a pass is good, in seconds.
PASS_LIFE_S: Final = 12 * 3600.0
#: Nonces of logins that are remembered until they expire.
_NONCES_MAX: Final = 10_000


class Guard:
    """The checks of one server.

    Parameters
    ----------
    secret
        The cluster's; may be empty where no login is needed.
    needs_login
        Whether strangers can connect.
    names
        Further names of this host, by which proxies call it.
    now
        The time, in seconds since the epoch.
    """

    def __init__(
        self, secret: str, *, needs_login: bool, names: Collection[str], now: Callable[[], float]
    ) -> None:
        self._secret = secret
        self.needs_login: Final = needs_login
        self._names = {"localhost", *(name.lower() for name in names if name)}
        self._now = now
        self._used: dict[str, float] = {}

    def is_ours(self, host: str) -> bool:
        """Whether a ``Host`` header names this server."""
        name = _hostname(host)
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True

    def is_same_origin(self, origin: str, host: str) -> bool:
        """Whether the page that asks came from where it asks."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"} or not self.is_ours(parts.netloc):
            return False
        return parts.netloc.lower() == host.lower()

    def log_in(self, login: str) -> str | None:
        """Return a pass for a login that is used for the first time, or None."""
        now_s = self._now()
        found = check_login(current_secret(self._secret), login, now_s)
        if found is None:
            return None
        nonce, expiry_s = found
        for old in [each for each, until_s in self._used.items() if until_s < now_s]:
            del self._used[old]
        if nonce in self._used or len(self._used) >= _NONCES_MAX:
            return None
        self._used[nonce] = expiry_s
        return mint_pass(current_secret(self._secret), now_s + PASS_LIFE_S)

    def is_known(self, cookie: str, authorization: str) -> bool:
        """Whether who asks has logged in, or needs not to."""
        if not self.needs_login:
            return True
        if cookie and check_pass(current_secret(self._secret), cookie, self._now()):
            return True
        scheme, _, word = authorization.partition(" ")
        return (
            bool(self._secret)
            and scheme.lower() == "bearer"
            and hmac.compare_digest(
                word.strip().encode(), bearer_word(current_secret(self._secret)).encode()
            )
        )


def _hostname(host: str) -> str | None:
    """Return the name or address in a ``Host`` header, without its port."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or parts.hostname is None:
        return None
    return parts.hostname.lower()
