"""A key that is an argument of a task, of which there may be no future here."""

from __future__ import annotations

from typing import Any

from hocket.protocol.serialize import note_reference, resolve

__all__ = ["KeyReference"]


class KeyReference:
    """Becomes the value of a key where a task reads it, as a future does; it keeps nothing.

    Parameters
    ----------
    key
        Of a task of the client that submits this.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __reduce__(self) -> tuple[Any, ...]:
        note_reference(self._key)
        return resolve, (self._key,)
