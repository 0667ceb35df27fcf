"""What callers may ask of a cluster: their arguments, checked before anything is started."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import Scalar
from hocket.core.settings import Settings, setting_kinds
from hocket.core.settings_file import load_settings

__all__ = ["check_count", "check_memory_limit", "check_resources", "check_settings"]

_SOURCE: Final = "code"
#: More processes or threads than any machine can run are a slip of the finger.
_COUNT_MAX: Final = 10_000


def check_count(name: str, value: object, least: int) -> int:
    """Return a number of workers or threads.

    Raises
    ------
    SettingsError
        It is no whole number, or too small, or absurdly large.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        count = int(value)
        if least <= count <= _COUNT_MAX:
            return count
    allowed = f"it must be a whole number from {least} to {_COUNT_MAX}"
    raise SettingsError(name=name, value=value, allowed=allowed, source=_SOURCE)


def check_memory_limit(value: object) -> Scalar:
    """Return bytes, or ``"auto"``.

    Raises
    ------
    SettingsError
        It is neither.
    """
    return setting_kinds()["worker"]["memory_limit"].parse(value, "memory_limit", _SOURCE)


def check_resources(resources: object) -> dict[str, float]:
    """Return amounts by name.

    Raises
    ------
    SettingsError
        A name is no text, or an amount is no number, negative or infinite.
    """
    if not isinstance(resources, Mapping):
        allowed = 'it must be a mapping of amounts by name, such as {"GPU": 1}'
        raise SettingsError(name="resources", value=resources, allowed=allowed, source=_SOURCE)
    for name, amount in resources.items():
        if not isinstance(name, str):
            allowed = f"the name {name!r} must be text"
        elif isinstance(amount, bool) or not isinstance(amount, Real):
            allowed = f"the amount of {name!r} must be a number"
        elif not (math.isfinite(amount) and float(amount) >= 0):
            allowed = f"the amount of {name!r} must be finite and not negative"
        else:
            continue
        raise SettingsError(name="resources", value=resources, allowed=allowed, source=_SOURCE)
    return {name: float(amount) for name, amount in resources.items()}


def check_settings(settings: object) -> Settings:
    """Return a settings tree: the one given, or the usual one with overrides.

    Raises
    ------
    SettingsError
        It is neither a tree nor overrides, or a name or a value in it is wrong.
    """
    if isinstance(settings, Settings):
        return settings
    if settings is not None and not isinstance(settings, Mapping):
        allowed = (
            "it must be a settings tree or a mapping of overrides; to read a file, pass"
            " hocket.core.settings_file.load_settings(file)"
        )
        raise SettingsError(name="settings", value=settings, allowed=allowed, source=_SOURCE)
    return load_settings(overrides=settings)
