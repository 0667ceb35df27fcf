"""Exceptions: carried to another process with tracebacks, causes, contexts, notes and groups.

An exception travels as a table with a row for each exception that hangs together with it. A row has
the pickle of one exception alone, and beside it what pickle leaves behind: the frames of its
traceback (made into a traceback again by tblib), its notes, and the rows of its cause, context and
members. A row that cannot be unpickled becomes a `TaskFailed`, and the others remain as they are.
"""

from __future__ import annotations

import pickle
import traceback
from types import TracebackType
from typing import Any, Final, NamedTuple

from hocket.core.errors import TaskFailed
from hocket.protocol.serialize.extensions import GUESTS
from hocket.protocol.serialize.pickling import PROTOCOL, dump, reason_of

__all__ = [
    "dump_exception",
    "is_engine_module",
    "load_exception",
    "strip_engine_frames",
    "text_of_exception",
]

#: Exceptions carried with one: causes, contexts and members of groups.
_ROWS_MAX: Final = 100
#: Frames of a traceback carried; of a longer one, those in the middle are left out.
_FRAMES_MAX: Final = 200
_FRAMES_FIRST: Final = 50
#: A larger exception is carried by its repr.
_EXCEPTION_NBYTES_MAX: Final = 16 * 1024 * 1024
_TEXT_LENGTH_MAX: Final = 64 * 1024

#: No row: there is no cause, or no context.
_NONE: Final = -1


class _Row(NamedTuple):
    #: The pickled exception; empty if it is a plain group (made of its members) or cannot be.
    data: bytes
    #: The repr, or a plain group's message.
    text: str
    #: Per frame: file name, function name, line number, module name.
    frames: list[tuple[str, str, int, str]]
    notes: list[str]
    cause: int
    context: int
    suppress_context: bool
    #: Rows of a group's members; None: it is no group.
    members: list[int] | None


def is_engine_module(name: object) -> bool:
    """Tell whether a module of this name belongs to the engine, not to the user's code."""
    if not isinstance(name, str):
        return False
    top, _, rest = name.partition(".")
    return top == "hocket" and rest.partition(".")[0] not in GUESTS


def strip_engine_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the engine's frames at its two ends."""
    entries: list[TracebackType] = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    first, end = 0, len(entries)
    while first < end and _is_engine_frame(entries[first]):
        first += 1
    while end > first and _is_engine_frame(entries[end - 1]):
        end -= 1
    stripped: TracebackType | None = None
    for entry in reversed(entries[first:end]):
        stripped = TracebackType(stripped, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return stripped


def _is_engine_frame(entry: TracebackType) -> bool:
    return is_engine_module(entry.tb_frame.f_globals.get("__name__"))


def text_of_exception(error: BaseException) -> str:
    """Return an exception as Python prints it, shortened in the middle if it is very long."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - it may fail at being printed
        text = _safe_repr(error)
    if len(text) <= _TEXT_LENGTH_MAX:
        return text
    half = _TEXT_LENGTH_MAX // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"


def dump_exception(error: BaseException, key: str) -> tuple[bytes, str]:
    """Take an exception apart for the way to another process.

    The engine's frames are stripped from the tracebacks of the exception and of what hangs on it.

    Parameters
    ----------
    error
        The exception that a task raised.
    key
        The task's key.

    Returns
    -------
    tuple[bytes, str]
        What `load_exception` takes, and the exception as text.
    """
    related = _collect(error)
    for one in related:
        one.__traceback__ = strip_engine_frames(one.__traceback__)
    text = text_of_exception(error)
    row_of = {id(one): row for row, one in enumerate(related)}
    rows = [tuple(_dump_row(one, row_of)) for one in related]
    return pickle.dumps((key, text, rows), PROTOCOL), text


def _collect(error: BaseException) -> list[BaseException]:
    """Return the exception and all that hang on it, each once, the exception first."""
    related: list[BaseException] = []
    seen: set[int] = set()
    waiting = [error]
    while waiting and len(related) < _ROWS_MAX:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        related.append(one)
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(one.exceptions)
        waiting.extend(other for other in (one.__cause__, one.__context__) if other is not None)
    return related


def _dump_row(error: BaseException, row_of: dict[int, int]) -> _Row:
    notes = getattr(error, "__notes__", None) or []
    members: list[int] | None = None
    data, text = b"", ""
    if isinstance(error, BaseExceptionGroup):
        members = [row_of[id(one)] for one in error.exceptions if id(one) in row_of]
    if type(error) in (ExceptionGroup, BaseExceptionGroup) and members:
        text = str(error.message)  # type: ignore[attr-defined]
    else:
        data = _dump_alone(error)
        text = _safe_repr(error)
    return _Row(
        data=data,
        text=text,
        frames=_frames_of(error.__traceback__),
        notes=[note for note in notes if isinstance(note, str)],
        cause=row_of.get(id(error.__cause__), _NONE),
        context=row_of.get(id(error.__context__), _NONE),
        suppress_context=error.__suppress_context__,
        members=members,
    )


def _dump_alone(error: BaseException) -> bytes:
    """Pickle one exception so that it comes back as it is; return no bytes if that cannot be.

    A class whose ``__init__`` takes other arguments than it hands to ``Exception.__init__`` breaks
    when it is unpickled, or comes back with another text. So the way back is tried here, and if it
    fails, the exception is taken apart so that it is made without ``__init__``.
    """
    for reduced in (_AsItSays(error), _WithoutInit(error)):
        try:
            data = dump(reduced)
            if len(data) > _EXCEPTION_NBYTES_MAX:
                return b""
            back = pickle.loads(data)
            if type(back).__qualname__ == type(error).__qualname__ and str(back) == str(error):
                return data
        except Exception:  # noqa: BLE001, S112 - users' classes may raise anything
            continue
    return b""


class _AsItSays:
    """Pickles as the exception does by itself.

    tblib can be told, by any library of the process, to pickle exceptions with all that hangs on
    them; here each stands alone.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.error.__reduce_ex__(PROTOCOL)


class _WithoutInit:
    """Pickles as the making of an exception without a call of its ``__init__``."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        error = self.error
        return _make, (type(error), error.args, dict(error.__dict__))


def _make(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _frames_of(trace: TracebackType | None) -> list[tuple[str, str, int, str]]:
    frames = []
    while trace is not None:
        frame = trace.tb_frame
        module = frame.f_globals.get("__name__")
        frames.append(
            (
                frame.f_code.co_filename,
                frame.f_code.co_name,
                # None for instructions that stand in no line
                trace.tb_lineno or frame.f_code.co_firstlineno,
                module if isinstance(module, str) else "",
            )
        )
        trace = trace.tb_next
    if len(frames) > _FRAMES_MAX:
        frames[_FRAMES_FIRST : _FRAMES_FIRST - _FRAMES_MAX] = []
    return frames


def load_exception(data: bytes, key: str = "", text: str = "") -> BaseException:
    """Put an exception together again, with its traceback, causes and notes.

    Parameters
    ----------
    data
        What `dump_exception` returned; bytes that mean nothing do no harm.
    key, text
        For the `TaskFailed` that is returned if the exception cannot be put together.
    """
    try:
        its_key, its_text, rows = pickle.loads(data)
        table = [_Row(*row) for row in rows]
        errors = _load_rows(table, str(its_key), str(its_text))
        for error, row in zip(errors, table, strict=True):
            _connect(error, row, errors)
        return errors[0]
    except Exception as error:  # noqa: BLE001 - hostile bytes, users' classes
        failed = TaskFailed(key=key, cause=f"its error cannot be unpickled ({reason_of(error)})")
        if text:
            failed.add_note(text)
        return failed


def _load_rows(table: list[_Row], key: str, text: str) -> list[BaseException]:
    errors: list[BaseException | None] = [None] * len(table)
    # Backwards: members stand after their groups.
    for number in range(len(table) - 1, -1, -1):
        row = table[number]
        error = _load_alone(row.data) if row.data else None
        members = [one for one in (errors[m] for m in row.members or ()) if one is not None]
        if error is None and members and not row.data:
            error = BaseExceptionGroup(row.text, members)
        if error is None:
            error = TaskFailed(key=key, cause=row.text)
            if number == 0 and text:
                error.add_note(text)
        _place(error, number, table, errors)
    return [error for error in errors if error is not None]


def _place(
    error: BaseException, number: int, table: list[_Row], errors: list[BaseException | None]
) -> None:
    """Give an exception its row, and if it is a group, its members theirs.

    They came along in the group's pickle, and so are not the ones that were loaded alone.
    """
    errors[number] = error
    if isinstance(error, BaseExceptionGroup):
        for member, own in zip(table[number].members or (), error.exceptions, strict=False):
            _place(own, member, table, errors)


def _load_alone(data: bytes) -> BaseException | None:
    try:
        error = pickle.loads(data)
    except Exception:  # noqa: BLE001 - a module may be missing
        return None
    return error if isinstance(error, BaseException) else None


def _connect(error: BaseException, row: _Row, errors: list[BaseException]) -> None:
    error.__traceback__ = _traceback_of(row.frames)
    # Notes are in __dict__ and so may have come with the pickle.
    if not getattr(error, "__notes__", None):
        for note in row.notes:
            error.add_note(note)
    if row.cause != _NONE:
        error.__cause__ = errors[row.cause]
    if row.context != _NONE:
        error.__context__ = errors[row.context]
    error.__suppress_context__ = row.suppress_context


def _traceback_of(frames: list[tuple[str, str, int, str]]) -> TracebackType | None:
    if not frames:
        return None
    # Imported here: only processes that see failures need it.
    from tblib import Traceback  # noqa: PLC0415

    entry: dict[str, Any] | None = None
    for filename, name, line, module in reversed(frames):
        entry = {
            "tb_frame": {
                "f_globals": {"__name__": module, "__file__": filename},
                "f_locals": {},
                "f_code": {"co_filename": filename, "co_name": name},
                "f_lineno": line,
            },
            "tb_lineno": line,
            "tb_next": entry,
        }
    trace: TracebackType = Traceback.from_dict(entry).as_traceback()
    return trace


def _safe_repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a repr of the user's
        text = f"<{type(value).__qualname__}, whose repr raises {type(error).__name__}>"
    return text[:_TEXT_LENGTH_MAX]
