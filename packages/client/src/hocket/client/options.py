"""What users may ask for beside a call itself, checked: one place for submit, map and get."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.resource_names import MEMORY
from hocket.core.units import parse_bytes, parse_seconds
from hocket.protocol.checks import KEY_LENGTH_MAX, NAME_LENGTH_MAX, PRIORITY_MAX
from hocket.protocol.messages import THREADS

__all__ = [
    "NO_OPTIONS",
    "TaskOptions",
    "check_key",
    "check_text",
    "make_options",
    "worker_names",
]

_RETRIES_MAX: Final = 1_000_000

_SOURCE: Final = "the call"


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What the user asks for beside the call itself; see `SubmitTasks`."""

    priority: int = 0
    retries: int = 0
    workers: tuple[str, ...] = ()
    allow_other_workers: bool = False
    resources: Mapping[str, float] = field(default_factory=dict)
    retry_delay_s: float = 0.0
    executor: str = THREADS
    #: 0: none.
    timeout_s: float = 0.0


NO_OPTIONS: Final = TaskOptions()


def make_options(
    *,
    priority: int = 0,
    retries: int = 0,
    retry_delay: float | str = 0,
    workers: str | Iterable[str] | None = None,
    allow_other_workers: bool = False,
    resources: Mapping[str, float | str] | None = None,
    executor: str = THREADS,
    timeout: float | str | None = None,
) -> TaskOptions:
    """Return checked options; the one `NO_OPTIONS` if nothing is asked for.

    Raises
    ------
    SettingsError
        An option has a value that it cannot have.
    """
    if (
        not (priority or retries or retry_delay or workers or allow_other_workers or resources)
        and executor == THREADS
        and timeout is None
    ):
        return NO_OPTIONS
    if not isinstance(priority, int) or abs(priority) > PRIORITY_MAX:
        raise _wrong("priority", priority, f"a whole number to {PRIORITY_MAX}, below 0 or above")
    if not isinstance(retries, int) or not 0 <= retries <= _RETRIES_MAX:
        raise _wrong("retries", retries, f"a whole number from 0 to {_RETRIES_MAX}")
    names = worker_names(workers)
    if allow_other_workers and not names:
        raise _wrong("allow_other_workers", value=True, allowed="it needs workers=")
    check_text("executor", executor, NAME_LENGTH_MAX)
    if not executor:
        raise _wrong("executor", executor, "the name of an executor of the workers, as 'threads'")
    return TaskOptions(
        priority,
        retries,
        names,
        bool(allow_other_workers),
        _amounts(resources or {}),
        parse_seconds(retry_delay, name="retry_delay", source=_SOURCE),
        executor,
        _limit(timeout),
    )


def _limit(timeout: float | str | None) -> float:
    """Return how long a task may run, in seconds; 0: as long as it wants."""
    if timeout is None:
        return 0.0
    limit_s = parse_seconds(timeout, name="timeout", source=_SOURCE)
    if not 0 < limit_s < math.inf:
        raise _wrong("timeout", timeout, "seconds above 0, or None")
    return limit_s


def _amounts(resources: Mapping[str, float | str]) -> dict[str, float]:
    """Return amounts of resources as numbers; memory in bytes."""
    if not isinstance(resources, Mapping):
        raise _wrong("resources", resources, 'amounts by name, such as {"GPU": 1}')
    amounts: dict[str, float] = {}
    for name, amount in resources.items():
        check_text("resources", name, NAME_LENGTH_MAX)
        what = f"resources[{name!r}]"
        if name == MEMORY and isinstance(amount, str):
            amounts[name] = float(parse_bytes(amount, name=what, source=_SOURCE))
            continue
        try:
            amounts[name] = float(amount)
        except (TypeError, ValueError, OverflowError):
            amounts[name] = math.nan
        if not 0 <= amounts[name] < math.inf:
            allowed = "a finite amount from 0"
            if name == MEMORY:
                allowed += ", in bytes, or text with a unit such as '5 GB'"
            raise _wrong(what, amount, allowed)
    return amounts


def worker_names(workers: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return names or addresses of workers, however they were given.

    Raises
    ------
    SettingsError
        They are no names.
    """
    if workers is None:
        return ()
    try:
        names = (workers,) if isinstance(workers, str) else tuple(workers)
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
    return SettingsError(name=name, value=value, allowed=allowed, source=_SOURCE)
