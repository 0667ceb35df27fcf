"""A history in writing: what was done in a run, as a short Python program that does it again."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final

from hocket.testing.deeds import Deed
from hocket.testing.programs import Spec
from hocket.testing.swarm import Swarm

__all__ = ["Script"]

_WIDTH: Final = 100
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Script:
    """All that makes a history.

    Attributes
    ----------
    seed
        Chance that is not of users and faults is drawn from it: how long messages are on their way,
        how long tasks run.
    swarm
        The sizes, and the faults that lie in the network.
    until_s
        When users and faults stop.
    deeds
        What they do until then, in order of time.
    """

    seed: int
    swarm: Swarm
    until_s: float
    deeds: tuple[Deed, ...]

    def text(self) -> str:
        """Return a program that replays it."""
        classes: set[type] = set()
        deeds = [_text(deed, classes, 2) for deed in self.deeds]
        swarm = _text(self.swarm, classes, 1)
        lines = [f"from {module} import {', '.join(some)}" for module, some in _homes(classes)]
        return "\n".join(
            [
                *lines,
                "",
                "report = replay(",
                f"{_INDENT}seed={self.seed},",
                f"{_INDENT}swarm={swarm},",
                f"{_INDENT}until_s={self.until_s!r},",
                f"{_INDENT}deeds=[",
                *(f"{_INDENT * 2}{deed}," for deed in deeds),
                f"{_INDENT}],",
                ")",
                'print(report.describe() if report.finding else "all is well")',
                "",
            ]
        )


def _homes(classes: set[type]) -> list[tuple[str, list[str]]]:
    """Return where these classes are to be imported from."""
    homes: dict[str, list[str]] = {"hocket.testing": ["replay"]}
    for one in sorted(classes, key=lambda one: one.__name__):
        homes.setdefault(one.__module__, []).append(one.__name__)
    return sorted(homes.items())


def _text(value: Any, classes: set[type], depth: int) -> str:
    """Return a value as Python writes it, and note its classes."""
    if isinstance(value, Enum):
        classes.add(type(value))
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple | list):
        opening, closing = "()" if isinstance(value, tuple) else "[]"
        parts = [_text(one, classes, depth + 1) for one in value]
        if len(parts) == 1 and opening == "(":
            return f"({parts[0]},)"
        return _joined(opening, parts, closing, depth)
    if is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        classes.add(type(value))
        return _joined(f"{name}(", _arguments(value, classes, depth + 1), ")", depth)
    return repr(value)


def _arguments(value: Any, classes: set[type], depth: int) -> list[str]:
    """Return the fields of a record that are not what they would be anyway, as arguments."""
    parts = []
    by_name = not isinstance(value, Deed | Spec)
    for one in fields(value):
        present = getattr(value, one.name)
        usual: Any = one.default
        if one.default_factory is not MISSING:
            usual = one.default_factory()
        if usual is not MISSING and present == usual:
            by_name = True
            continue
        text = _text(present, classes, depth)
        # Switches say nothing without their names.
        parts.append(f"{one.name}={text}" if by_name or isinstance(present, bool) else text)
        by_name = by_name or isinstance(present, bool)
    return parts


def _joined(opening: str, parts: list[str], closing: str, depth: int) -> str:
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) + len(_INDENT) * depth < _WIDTH and "\n" not in line:
        return line
    inner = _INDENT * (depth + 1)
    return "\n".join(
        [opening, *(f"{inner}{part}," for part in parts), f"{_INDENT * depth}{closing}"]
    )
