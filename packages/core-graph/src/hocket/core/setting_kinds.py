"""The kinds of values that a setting can have: each knows its text, its bounds and its type.

A kind stands in the annotation of a field: ``threads: Annotated[int, Count("...", least=1)]``. Its
first argument says what the setting is for; the reference page is made from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from hocket.core.errors import SettingsError
from hocket.core.units import (
    NBYTES_MAX,
    SECONDS_MAX,
    format_bytes,
    format_seconds,
    parse_bytes,
    parse_seconds,
)

__all__ = [
    "Choice",
    "Count",
    "Kind",
    "Nbytes",
    "Part",
    "Ports",
    "Scalar",
    "Seconds",
    "Switch",
    "Text",
    "Words",
]

#: What a setting is once it is parsed.
Scalar = str | int | float | bool

_COUNT_MAX: Final = 10**9
_TEXT_LENGTH_MAX: Final = 10_000
_PORT_MAX: Final = 65535
_PORTS: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_WHOLE_NUMBER: Final = re.compile(r"\s*[0-9]{1,10}\s*")
_SWITCH_WORDS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Kind(Protocol):
    """What each kind of value offers."""

    @property
    def doc(self) -> str:
        """What the setting is for, in a sentence or two."""

    @property
    def secret(self) -> bool:
        """Whether the value must not be shown."""

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the value of the setting, or raise `SettingsError` naming it and its source."""

    def format(self, value: Scalar) -> str:
        """Return the value as people write it; `parse` reads it back."""

    def describe(self) -> str:
        """Return which values are allowed, in a few words."""


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number."""

    doc: str
    least: int = 0
    most: int = _COUNT_MAX
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the number; text of digits is read too."""
        number = value
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            number = int(value)
        if (
            isinstance(number, int)
            and not isinstance(number, bool)
            and self.least <= number <= self.most
        ):
            return number
        raise SettingsError(
            name=name, value=value, allowed=f"it must be {self.describe()}", source=source
        )

    def format(self, value: Scalar) -> str:
        """Return the digits."""
        return str(value)

    def describe(self) -> str:
        """Return the bounds."""
        if self.most == _COUNT_MAX:
            return f"a whole number, {self.least} or more"
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Nbytes:
    """An amount of bytes, or one of some words."""

    doc: str
    least: int = 0
    most: int = NBYTES_MAX
    words: tuple[str, ...] = ()
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return bytes; text with a unit is read too."""
        if isinstance(value, str) and value.strip() in self.words:
            return value.strip()
        try:
            nbytes = parse_bytes(value, name=name, source=source)
        except SettingsError as error:
            if not self.words:
                raise
            allowed = f"{error.allowed}; or {_quoted(self.words)}"
            raise SettingsError(name=name, value=value, allowed=allowed, source=source) from None
        if not self.least <= nbytes <= self.most:
            raise SettingsError(
                name=name, value=value, allowed=f"it must be {self.describe()}", source=source
            )
        return nbytes

    def format(self, value: Scalar) -> str:
        """Return bytes with a unit where that is exact, else their number."""
        if isinstance(value, str):
            return value
        text = format_bytes(value)
        return text if parse_bytes(text) == value else f"{value} B"

    def describe(self) -> str:
        """Return the bounds and the words."""
        text = f"bytes, {format_bytes(self.least)} or more"
        if self.most != NBYTES_MAX:
            text = f"bytes from {format_bytes(self.least)} to {format_bytes(self.most)}"
        return f"{text}, or {_quoted(self.words)}" if self.words else text


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time."""

    doc: str
    least: float = 0.0
    most: float = SECONDS_MAX
    infinite: bool = False
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return seconds; text with a unit is read too."""
        time_s = parse_seconds(value, name=name, source=source, infinite=self.infinite)
        if time_s < self.least or (time_s > self.most and not self.infinite):
            raise SettingsError(
                name=name, value=value, allowed=f"it must be {self.describe()}", source=source
            )
        return time_s

    def format(self, value: Scalar) -> str:
        """Return seconds with a unit where that is exact, else their number."""
        time_s = float(value)
        text = format_seconds(time_s)
        return text if parse_seconds(text, infinite=True) == time_s else f"{time_s!r} s"

    def describe(self) -> str:
        """Return the bounds."""
        text = f"a time, {format_seconds(self.least)} or more"
        if self.most != SECONDS_MAX:
            text = f"a time from {format_seconds(self.least)} to {format_seconds(self.most)}"
        return f"{text}, or 'inf'" if self.infinite else text


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a whole."""

    doc: str
    least: float = 0.0
    most: float = 1.0
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the part as a number from 0 to 1; text such as ``60 %`` is read too."""
        part: object = value
        if isinstance(value, str):
            text = value.strip()
            try:
                part = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
            except ValueError:
                part = None
        is_number = isinstance(part, int | float) and not isinstance(part, bool)
        if not is_number or not self.least <= float(part) <= self.most:  # type: ignore[arg-type]
            raise SettingsError(
                name=name, value=value, allowed=f"it must be {self.describe()}", source=source
            )
        return float(part)  # type: ignore[arg-type]

    def format(self, value: Scalar) -> str:
        """Return the part as a number."""
        return repr(float(value))

    def describe(self) -> str:
        """Return the bounds."""
        return f"a part, from {self.least:g} to {self.most:g}, or a percentage"


@dataclass(frozen=True, slots=True)
class Switch:
    """Yes or no."""

    doc: str
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the switch; the words true, yes, on, 1 and their opposites are read too."""
        switch: object = value
        if isinstance(value, str):
            switch = _SWITCH_WORDS.get(value.strip().lower())
        if isinstance(switch, bool):
            return switch
        allowed = "it must be true or false (or yes, no, on, off, 1, 0 as text)"
        raise SettingsError(name=name, value=value, allowed=allowed, source=source)

    def format(self, value: Scalar) -> str:
        """Return ``true`` or ``false``."""
        return "true" if value else "false"

    def describe(self) -> str:
        """Return the two words."""
        return "true or false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    doc: str
    options: tuple[str, ...]
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the word."""
        if isinstance(value, str) and value.strip() in self.options:
            return value.strip()
        raise SettingsError(
            name=name, value=value, allowed=f"it must be {self.describe()}", source=source
        )

    def format(self, value: Scalar) -> str:
        """Return the word."""
        return str(value)

    def describe(self) -> str:
        """Return the words."""
        return _quoted(self.options)


@dataclass(frozen=True, slots=True)
class Text:
    """Any text; of a secret, nothing is ever shown."""

    doc: str
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the text as it is."""
        if isinstance(value, str) and len(value) <= _TEXT_LENGTH_MAX:
            return value
        shown = Words("what it is (hidden)") if self.secret else value
        allowed = f"it must be {self.describe()} (in a file: put it in quotes)"
        raise SettingsError(name=name, value=shown, allowed=allowed, source=source)

    def format(self, value: Scalar) -> str:
        """Return the text, or a mask if it is secret."""
        return "***" if self.secret and value else str(value)

    def describe(self) -> str:
        """Return the bound."""
        return f"text of at most {_TEXT_LENGTH_MAX} characters"


@dataclass(frozen=True, slots=True)
class Ports:
    """A port to listen on, or a range of which the first free one is taken."""

    doc: str
    secret: bool = False

    def parse(self, value: object, name: str, source: str) -> Scalar:
        """Return the text; a number is read too."""
        is_number = isinstance(value, int) and not isinstance(value, bool)
        text = str(value).strip() if is_number or isinstance(value, str) else ""
        found = _PORTS.fullmatch(text)
        if found is not None:
            first, last = int(found[1]), int(found[2] or found[1])
            if first <= last <= _PORT_MAX and (first > 0 or last == 0):
                return f"{first}-{last}" if last > first else str(first)
        raise SettingsError(
            name=name, value=value, allowed=f"it must be {self.describe()}", source=source
        )

    def format(self, value: Scalar) -> str:
        """Return the text."""
        return str(value)

    def describe(self) -> str:
        """Return the forms."""
        return f"a port from 1 to {_PORT_MAX}, a range such as 8786-8885, or 0 for any free port"


@dataclass(frozen=True, slots=True, repr=False)
class Words:
    """Words in an error in place of a value that has no text, or must not be shown."""

    words: str

    def __repr__(self) -> str:
        return self.words


def _quoted(words: tuple[str, ...]) -> str:
    return " or ".join(f"'{word}'" for word in words)
