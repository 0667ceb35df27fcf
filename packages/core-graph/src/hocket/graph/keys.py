"""Keys: what may name a task, and the one text that a key has on the wire."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from hocket.core.errors import InvalidGraph

__all__ = ["Key", "Keys", "arrange", "check_key", "flat_keys", "key_text"]

#: What may name a task: text, bytes, a number, or a tuple of these.
Key: TypeAlias = "str | bytes | int | float | tuple[Key | None, ...]"

#: What may be asked for: a key, or a list of these, lists in lists included (a tuple is a key).
Keys: TypeAlias = "Key | list[Keys]"

#: Types whose ``repr`` is the same for equal values, in every process.
_EXACT = frozenset({str, bytes, int, type(None)})

#: A tuple in a tuple in a tuple...: no honest key is deeper.
_DEPTH_MAX = 50


def key_text(key: Key) -> str:
    """Return the text that stands for a key on the wire and in messages.

    A ``str`` is its own text. Everything else gets the text of its canonical literal, so
    ``("x", 0, 1)`` becomes ``"('x', 0, 1)"``. Keys that are equal as dictionary keys have equal
    texts: ``True``, ``1``, ``1.0`` and ``numpy.int64(1)`` are all ``"1"``.

    A ``str`` that spells the text of another key, like ``"('x', 0)"`` beside ``("x", 0)``, is not
    told apart from it.

    Parameters
    ----------
    key
        A key of a graph.

    Raises
    ------
    InvalidGraph
        The key, or a part of it, is of a type that has no stable text.

    Examples
    --------
    >>> key_text("load"), key_text(("load", 3))
    ('load', "('load', 3)")
    """
    kind = type(key)
    if kind is str:
        return key  # type: ignore[return-value]
    if kind is tuple and _EXACT.issuperset(map(type, key)):  # type: ignore[arg-type]
        return repr(key)
    if isinstance(key, str):
        return str.__str__(key)
    if key is None:
        raise _invalid(key)
    return _literal(key, key, 0)


def check_key(key: object) -> None:
    """Refuse what cannot name a task.

    Raises
    ------
    InvalidGraph
        The key is not a str, bytes, number or tuple of these.
    """
    if type(key) is not tuple or not _EXACT.issuperset(map(type, key)):
        key_text(key)  # type: ignore[arg-type]


def flat_keys(keys: Keys) -> Iterator[Key]:
    """Iterate over the keys in a key or in nested lists of keys, from left to right.

    Raises
    ------
    InvalidGraph
        Something in there cannot be a key.
    """
    pending = [keys]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(reversed(item))
        else:
            check_key(item)
            yield item


def arrange(keys: Keys, values: Mapping[Key, Any]) -> Any:
    """Return the value of a key, or the nested lists of values for nested lists of keys."""
    if isinstance(keys, list):
        return [arrange(item, values) for item in keys]
    return values[keys]


def _literal(part: object, key: object, depth: int) -> str:
    if isinstance(part, tuple):
        if depth == _DEPTH_MAX:
            raise _invalid(key)
        inner = [_literal(item, key, depth + 1) for item in part]
        return f"({inner[0]},)" if len(inner) == 1 else f"({', '.join(inner)})"
    if isinstance(part, str):
        return str.__repr__(part)
    if isinstance(part, bytes):
        return bytes.__repr__(part)
    if part is None:
        return "None"
    if isinstance(part, float):
        # 1.0 and 1 are one key to a dict, so they need one text.
        return int.__repr__(int(part)) if part.is_integer() else float.__repr__(part)
    try:
        return int.__repr__(operator.index(part))  # type: ignore[arg-type]
    except TypeError:
        raise _invalid(key) from None


def _invalid(key: object) -> InvalidGraph:
    return InvalidGraph(
        what="a key",
        value=f"{reprlib.repr(key)} (of type {type(key).__name__})",
        reason="give a str, bytes, int, float, or a tuple of these",
    )
