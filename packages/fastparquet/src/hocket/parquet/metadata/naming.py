"""Errors of what is read late: long after it was opened, they still have to name the file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from hocket.parquet.errors import ParquetError

__all__ = ["naming_file"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def naming_file(method: Callable[Concatenate[Any, _P], _R]) -> Callable[Concatenate[Any, _P], _R]:
    """Return a method whose errors name the file that its object's attribute ``file`` names."""

    @functools.wraps(method)
    def named(self: Any, /, *arguments: _P.args, **options: _P.kwargs) -> _R:
        try:
            return method(self, *arguments, **options)
        except ParquetError as error:
            raise error.located(file=self.file) from error.__cause__

    return named
