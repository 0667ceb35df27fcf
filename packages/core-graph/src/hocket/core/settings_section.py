"""What all sections of the settings tree share: values are checked, secrets are not shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, get_type_hints

from hocket.core.setting_kinds import Kind

__all__ = ["Section", "section_kinds"]


class Section:
    """What all sections share: values are checked when one is made, secrets are not shown."""

    __slots__ = ()

    def __post_init__(self) -> None:
        section = type(self).__name__.removesuffix("Settings").lower()
        for name, kind in section_kinds(type(self)).items():
            value = kind.parse(getattr(self, name), f"{section}.{name}", "code")
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        kinds = section_kinds(type(self))
        values = (
            f"{name}={'***' if kind.secret and getattr(self, name) else getattr(self, name)!r}"
            for name, kind in kinds.items()
        )
        return f"{type(self).__name__}({', '.join(values)})"


_kinds: Final[dict[type[Any], Mapping[str, Kind]]] = {}


def section_kinds(section_type: type[Any]) -> Mapping[str, Kind]:
    """Return the kind of every setting of a section by name, in the order of their definition."""
    found = _kinds.get(section_type)
    if found is None:
        hints = get_type_hints(section_type, include_extras=True)
        found = {each.name: hints[each.name].__metadata__[0] for each in fields(section_type)}
        _kinds[section_type] = found
    return found
