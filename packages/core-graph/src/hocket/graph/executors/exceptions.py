"""Carrying an exception from one process to another: itself, its traceback, and what led to it."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple

import cloudpickle
from tblib import Traceback

from hocket.core.errors import TaskFailed
from hocket.graph.executors.tracebacks import without_engine_frames

__all__ = ["pack_error", "unpack_error"]

#: So many exceptions are carried of those that led to one another.
_CHAIN_LENGTH_MAX = 20


def pack_error(key: str, error: BaseException) -> bytes:
    """Pickle an exception with its traceback, causes and contexts.

    An exception that does not come out of pickling as it went in is replaced by a `TaskFailed` that
    tells its story; a cause or context of that kind is left out.

    Parameters
    ----------
    key
        The text of the key of the task that raised it.
    error
        The exception.
    """
    chain = [error]
    for link in chain:
        for other in (link.__cause__, link.__context__):
            if other is None or _place(other, chain) is not None:
                continue
            if len(chain) < _CHAIN_LENGTH_MAX:
                chain.append(other)
    error.__traceback__ = without_engine_frames(error.__traceback__)
    links = []
    for link in chain:
        try:
            blob = _pickled(link)
        except Exception as refusal:  # noqa: BLE001 - any code may run when pickling
            if link is error:
                return pickle.dumps([_Link(blob=_story(key, error, refusal))])
            blob = None
        frames = link.__traceback__
        links.append(
            _Link(
                blob=blob,
                frames=None if frames is None else Traceback(frames).to_dict(),
                notes=[str(note) for note in getattr(link, "__notes__", ())],
                cause=_place(link.__cause__, chain),
                context=_place(link.__context__, chain),
                suppress_context=link.__suppress_context__,
            )
        )
    return pickle.dumps(links)


def unpack_error(key: str, packed: bytes) -> BaseException:
    """Return the exception that `pack_error` pickled; a `TaskFailed` if it cannot be unpickled."""
    links: list[_Link] = pickle.loads(packed)
    chain: list[BaseException | None] = []
    for link in links:
        try:
            chain.append(None if link.blob is None else pickle.loads(link.blob))
        except Exception as refusal:  # noqa: BLE001 - any code may run when unpickling
            if not chain:
                return TaskFailed(key=key, cause=f"its exception cannot be unpickled: {refusal}")
            chain.append(None)
    for error, link in zip(chain, links, strict=True):
        if error is None:
            continue
        if link.frames is not None:
            error.__traceback__ = Traceback.from_dict(link.frames).as_traceback()
        if link.notes:
            error.__notes__ = list(link.notes)
        error.__cause__ = None if link.cause is None else chain[link.cause]
        error.__context__ = None if link.context is None else chain[link.context]
        error.__suppress_context__ = link.suppress_context
    assert chain[0] is not None
    return chain[0]


class _Link(NamedTuple):
    """One exception of those that led to one another; the others are given by their places."""

    blob: bytes | None
    frames: dict[str, Any] | None = None
    notes: Sequence[str] = ()
    cause: int | None = None
    context: int | None = None
    suppress_context: bool = False


def _place(error: BaseException | None, chain: list[BaseException]) -> int | None:
    return next((place for place, link in enumerate(chain) if link is error), None)


def _pickled(error: BaseException) -> bytes:
    """Pickle one exception so that it comes back with its type, message and attributes."""
    kind = type(error)
    try:
        blob: bytes = cloudpickle.dumps(_ByItself(error))
        back = pickle.loads(blob)
        if type(back) is kind and str(back) == str(error):
            return blob
    except Exception:  # noqa: BLE001, S110 - any code may run when pickling; there is another way
        pass
    # An __init__ with parameters of its own is not called with what it made of them.
    blob = cloudpickle.dumps(_Rebuilt(error))
    if str(pickle.loads(blob)) != str(error):
        raise pickle.PicklingError("its message does not survive pickling")
    return blob


class _ByItself:
    """Pickles as an exception in that one's own way.

    Libraries may have registered another way for all exceptions (with `copyreg`), which loses
    what some of them hold beside their arguments.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.error.__reduce_ex__(pickle.DEFAULT_PROTOCOL)


class _Rebuilt:
    """Pickles as an exception that is made again without its ``__init__``."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        return _rebuild, (type(error), error.args, error.__dict__)


def _rebuild(
    kind: type[BaseException], args: tuple[Any, ...], attributes: dict[str, Any]
) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


def _story(key: str, error: BaseException, refusal: Exception) -> bytes:
    story = "".join(traceback.format_exception(error)).strip()
    cause = (
        f"its exception cannot be pickled ({type(refusal).__name__}: {refusal}); it was\n{story}"
    )
    return pickle.dumps(TaskFailed(key=key, cause=cause))
