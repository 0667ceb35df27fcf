"""Batches: tasks on their way into a message, as columns, and the options that they share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hocket.core.errors import SettingsError
from hocket.protocol.checks import KEY_LENGTH_MAX, NAME_LENGTH_MAX
from hocket.protocol.messages import SubmitTasks
from hocket.protocol.serialize import FunctionPickle

__all__ = [
    "NO_OPTIONS",
    "TaskBatch",
    "TaskOptions",
    "check_key",
    "check_text",
    "make_options",
    "worker_names",
]

_PRIORITY_MAX: Final = 32767
_RETRIES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What the user asks for beside the call itself; see `SubmitTasks`."""

    priority: int = 0
    retries: int = 0
    workers: tuple[str, ...] = ()
    allow_other_workers: bool = False
    resources: Mapping[str, float] = field(default_factory=dict)


NO_OPTIONS: Final = TaskOptions()


def make_options(
    priority: int = 0,
    retries: int = 0,
    workers: str | Iterable[str] | None = None,
    allow_other_workers: bool = False,  # noqa: FBT001, FBT002 - as the public signatures have it
    resources: Mapping[str, float] | None = None,
) -> TaskOptions:
    """Return checked options.

    Raises
    ------
    SettingsError
        An option has a value that it cannot have.
    """
    if not (priority or retries or workers or allow_other_workers or resources):
        return NO_OPTIONS
    if not isinstance(priority, int) or abs(priority) > _PRIORITY_MAX:
        raise _wrong("priority", priority, f"a whole number to {_PRIORITY_MAX}, below 0 or above")
    if not isinstance(retries, int) or not 0 <= retries <= _RETRIES_MAX:
        raise _wrong("retries", retries, f"a whole number from 0 to {_RETRIES_MAX}")
    names = worker_names(workers)
    if allow_other_workers and not names:
        raise _wrong("allow_other_workers", value=True, allowed="it needs workers=")
    amounts: dict[str, float] = {}
    for name, amount in (resources or {}).items():
        check_text("resources", name, NAME_LENGTH_MAX)
        try:
            amounts[name] = float(amount)
        except (TypeError, ValueError):
            amounts[name] = math.nan
        if not 0 <= amounts[name] < math.inf:
            raise _wrong(f"resources[{name!r}]", amount, "an amount from 0")
    return TaskOptions(priority, retries, names, bool(allow_other_workers), amounts)


def worker_names(workers: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return names or addresses of workers, however they were given.

    Raises
    ------
    SettingsError
        They are no names.
    """
    if workers is None:
        return ()
    if isinstance(workers, str):
        return (workers,)
    try:
        names = tuple(workers)
    except TypeError:
        raise _wrong("workers", workers, "a name or an address, or a list of them") from None
    for name in names:
        check_text("workers", name, NAME_LENGTH_MAX)
    return names


def check_key(key: object) -> str:
    """Return the text of a key that the user chose.

    Raises
    ------
    SettingsError
        It is too long, or has characters that no text has.
    InvalidGraph
        It is of a class that keys are not of.
    """
    text = key
    if not isinstance(text, str):
        # Imported here: most clients never need graphs, which take long to import.
        from hocket.graph.keys import key_text  # noqa: PLC0415

        text = key_text(key)  # type: ignore[arg-type]
    check_text("key", text, KEY_LENGTH_MAX)
    return text


def check_text(name: str, text: object, length_max: int) -> None:
    """Refuse what cannot be sent as a text.

    Raises
    ------
    SettingsError
        It is none, or too long, or not to be encoded.
    """
    if not isinstance(text, str):
        raise _wrong(name, text, "text")
    if len(text) > length_max:
        raise _wrong(name, text[:100] + "...", f"at most {length_max} characters")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _wrong(name, text, "text without lone surrogates") from None


def _wrong(name: str, value: object, allowed: str) -> SettingsError:
    return SettingsError(name=name, value=value, allowed=allowed, source="the call")


@dataclass(slots=True)
class TaskBatch:
    """Tasks, as columns."""

    functions: list[FunctionPickle]
    keys: list[str]
    payloads: list[bytes]
    #: Per task: the keys that it depends on; None: no task depends on any.
    references: list[list[str]] | None = None
    #: Per task: index into ``functions``; empty: all 0.
    function_of: list[int] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    #: Rows that the caller wants futures of; None: all.
    wanted: list[int] | None = None
    #: Per task, where keys may be there already: a digest of what it computes.
    specs: list[bytes] | None = None
    options: TaskOptions = NO_OPTIONS

    def only(self, rows: list[int]) -> TaskBatch:
        """Return the batch with some of its rows."""
        if len(rows) == len(self.keys):
            return self

        def pick(column: list[Any]) -> list[Any]:
            return [column[row] for row in rows] if column else []

        return TaskBatch(
            functions=self.functions,
            keys=pick(self.keys),
            payloads=pick(self.payloads),
            references=None if self.references is None else pick(self.references),
            function_of=pick(self.function_of),
            ranks=pick(self.ranks),
            options=self.options,
        )

    def message(self) -> tuple[SubmitTasks, int]:
        """Return the message that submits the batch, and the bytes of pickles in it."""
        keys = self.keys
        dependencies: list[list[int]] = []
        if self.references is not None and any(self.references):
            keys, dependencies = self._index_references()
        options = self.options
        functions = self.functions
        message = SubmitTasks(
            functions=[function.digest for function in functions],
            labels=[function.label for function in functions],
            blobs=[function.blob for function in functions],
            keys=keys,
            function_of=self.function_of if len(functions) > 1 else [],
            payloads=self.payloads,
            dependencies=dependencies,
            ranks=self.ranks,
            wanted=self.wanted,
            priority=options.priority,
            retries=options.retries,
            workers=list(options.workers),
            allow_other_workers=options.allow_other_workers,
            resources=dict(options.resources),
        )
        return message, sum(map(len, self.payloads))

    def _index_references(self) -> tuple[list[str], list[list[int]]]:
        """Return all keys, the tasks' first, and per task the indices of its dependencies."""
        keys = list(self.keys)
        numbers = dict(zip(keys, range(len(keys)), strict=True))
        dependencies = []
        for references in self.references or ():
            row = []
            for key in references:
                number = numbers.get(key)
                if number is None:
                    number = numbers[key] = len(keys)
                    keys.append(key)
                row.append(number)
            dependencies.append(row)
        return keys, dependencies
