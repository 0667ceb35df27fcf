"""Functions: pickled once, known by a digest of their pickle, and given a name for people.

What can be imported is pickled by its name, and the pickle kept; everything else (lambdas,
closures, functions of ``__main__``) is pickled by value each time, because it may have changed.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from hocket.core.errors import SerializationError
from hocket.protocol.serialize.pickling import PROTOCOL, dump, goes_by_value, reason_of
from hocket.protocol.serialize.references import References, collector

__all__ = [
    "DIGEST_NBYTES",
    "FunctionPickle",
    "apply",
    "dump_function",
    "identity",
    "label_of",
    "load_function",
]

DIGEST_NBYTES: Final = 16

#: Pickles of importable functions kept; all are dropped when there are more.
_KNOWN_MAX: Final = 4096

_LABEL_LENGTH_MAX: Final = 64


class FunctionPickle(NamedTuple):
    """A function as bytes."""

    #: BLAKE2b of ``blob``, 16 bytes.
    digest: bytes
    blob: bytes
    #: What people call it.
    label: str
    #: Keys of futures that it holds (in a closure, or bound to it); each once.
    references: list[str]


class _Known(NamedTuple):
    # Held, so that no other object gets its id.
    function: Callable[..., Any]
    module: str
    path: tuple[str, ...]
    pickle: FunctionPickle


_known: dict[int, _Known] = {}


def apply(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function that is itself an argument, so that it may hold references."""
    return function(*args, **kwargs)


def identity(value: Any) -> Any:
    """Return a value: how data becomes a task, and a wrapper its content."""
    return value


def label_of(function: object) -> str:
    """Return what people call a function: its name, without the names around it."""
    inner = function
    while (wrapped := getattr(inner, "func", None)) is not None and callable(wrapped):
        inner = wrapped  # functools.partial, and what looks like it
    name = getattr(inner, "__name__", None)
    if not isinstance(name, str):
        name = type(inner).__name__
    label = name.strip("<>")[:_LABEL_LENGTH_MAX] or "task"
    # A text with lone surrogates cannot be sent.
    return label if label.isascii() else label.encode(errors="replace").decode()


def dump_function(function: Callable[..., Any]) -> FunctionPickle:
    """Pickle a function.

    Raises
    ------
    SerializationError
        It cannot be pickled.
    """
    known = _known.get(id(function))
    # What has been replaced in its module (reloaded, patched) goes by value from then on.
    if known is not None and _find(known.module, known.path) is function and not goes_by_value():
        return known.pickle
    path = _import_path(function)
    if path is None:
        return _dump_by_content(function)
    try:
        blob = pickle.dumps(function, PROTOCOL)
    except Exception:  # noqa: BLE001 - a metaclass may refuse
        return _dump_by_content(function)
    pickled = FunctionPickle(_digest(blob), blob, label_of(function), [])
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[id(function)] = _Known(function, path[0], path[1:], pickled)
    return pickled


def load_function(blob: bytes) -> Callable[..., Any]:
    """Unpickle a function.

    Raises
    ------
    SerializationError
        It cannot be unpickled here, say because its module is missing.
    """
    try:
        function = pickle.loads(blob)
    except Exception as error:
        raise SerializationError(
            what="the function", type_name="bytes", reason=reason_of(error)
        ) from error
    if not callable(function):
        raise SerializationError(
            what="the function", type_name=type(function).__qualname__, reason="it is not callable"
        )
    return function  # type: ignore[no-any-return]


def _dump_by_content(function: Callable[..., Any]) -> FunctionPickle:
    label = label_of(function)
    keys = References()
    token = collector.set(keys)
    try:
        blob = dump(function)
    except Exception as error:
        raise SerializationError(
            what=f"the function {label!r}",
            type_name=type(function).__qualname__,
            reason=reason_of(error),
        ) from error
    finally:
        collector.reset(token)
    return FunctionPickle(_digest(blob), blob, label, list(dict.fromkeys(keys)))


def _digest(blob: bytes) -> bytes:
    return blake2b(blob, digest_size=DIGEST_NBYTES).digest()


def _import_path(function: object) -> tuple[str, ...] | None:
    """Return the module and the names within it by which others can import this very object."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    # ``__mp_main__`` is what multiprocessing calls the main module of its children.
    if module in ("__main__", "__mp_main__") or goes_by_value():
        return None
    path = tuple(name.split("."))
    return (module, *path) if _find(module, path) is function else None


def _find(module: str, path: tuple[str, ...]) -> object:
    found: object = sys.modules.get(module)
    for name in path:
        found = getattr(found, name, None)
    return found
