"""Secrets of this process that were replaced: by what, and how long they are good yet.

Whoever holds a secret goes on holding it, and asks here for what has become of it each time that it
is used; so nobody need be told who has it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from hocket.protocol.credentials import parse_secret
from hocket.transport.clock import monotonic

__all__ = ["current_secret", "former_secrets", "hear_secret", "replace_secret"]

_lock: Final = threading.Lock()
#: By a secret, what took its place.
_successors: Final[dict[str, str]] = {}
#: By a secret, those before it, and until when they are good.
_former: Final[dict[str, list[tuple[str, float]]]] = {}
#: Links of a chain that are followed; a secret that was replaced more often is of no use.
_LINKS_MAX: Final = 10_000


def replace_secret(secret: str, successor: str, keep_s: float) -> None:
    """Have another secret take the place of one, which is good for some seconds yet."""
    with _lock:
        _replace(_current(secret), successor, keep_s)


def hear_secret(secret: str, told: str, keep_s: float) -> None:
    """Have what a scheduler told take the place of a secret, unless as much was known already.

    A process may be told twice, for a worker and for a client of that worker's tasks; the lesser
    key follows from the greater one, and must not take its place. Nor may what comes so late that
    another one has followed.

    Raises
    ------
    SettingsError
        It is no secret.
    """
    heard = parse_secret(told)
    # In one step: another thread may put the greater key there meanwhile.
    with _lock:
        links = list(_links(secret))
        for known in map(parse_secret, links):
            if known.has(heard.role) and known.key(heard.role) == heard.key(heard.role):
                return
        _replace(links[-1], told, keep_s)


def current_secret(secret: str) -> str:
    """Return what has become of a secret: itself, as long as nothing took its place."""
    if not _successors:
        return secret
    with _lock:
        return _current(secret)


def former_secrets(secret: str) -> tuple[str, ...]:
    """Return those that were in the place of a secret and are good yet."""
    if not _successors:
        return ()
    with _lock:
        return tuple(former for former, _ in _good(_current(secret)))


def _links(secret: str) -> Iterator[str]:
    """Yield a secret and all that took its place, one after the other."""
    for _ in range(_LINKS_MAX):
        yield secret
        successor = _successors.get(secret)
        if successor is None:
            return
        secret = successor


def _replace(last: str, successor: str, keep_s: float) -> None:
    if last == successor:
        return
    _successors[last] = successor
    good_until_s = monotonic() + keep_s
    _former[successor] = [*_good(last), (last, good_until_s)]
    _former.pop(last, None)


def _current(secret: str) -> str:
    *_, last = _links(secret)
    return last


def _good(secret: str) -> list[tuple[str, float]]:
    now_s = monotonic()
    return [entry for entry in _former.get(secret, []) if entry[1] > now_s]
