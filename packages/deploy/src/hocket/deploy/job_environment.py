"""What workers in jobs are told of the process that made their cluster."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hocket.core.setting_kinds import Scalar
from hocket.core.settings import Settings, setting_kinds

__all__ = ["told_settings", "user_paths"]


def user_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Return those of the paths of modules that are the user's, not the Python installation's."""
    prefixes = {os.path.realpath(one) for one in (sys.prefix, sys.base_prefix)}
    found = []
    for path in paths:
        full = os.path.realpath(path or Path.cwd())
        is_own = any(full == one or full.startswith(one + os.sep) for one in prefixes)
        if not is_own and os.path.isdir(full) and ":" not in full:  # noqa: PTH112
            found.append(full)
    return tuple(dict.fromkeys(found))


def told_settings(settings: Settings) -> dict[str, Scalar]:
    """Return what workers are to know: what differs from the defaults, and is no secret."""
    kinds = setting_kinds()
    usual = Settings().to_flat()
    told = {}
    for name, value in settings.to_flat().items():
        section, _, key = name.partition(".")
        if kinds[section][key].secret or section == "security" or value == usual[name]:
            continue
        told[name] = "inf" if isinstance(value, float) and math.isinf(value) else value
    return told
