"""Gives kernels other meanings: the same functions, with other things behind the names they use.

The compiler puts machine instructions behind the names of the primitives, the tests a memory that
knows its bounds. Both do it here. What a kernel is made of is found here too: `fingerprint` changes
when, and only when, what it computes may have changed.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hocket.parquet.kernels import language

__all__ = ["Translator", "fingerprint"]


class Translator:
    """Makes functions anew with primitives replaced, in them and in all that they call.

    Parameters
    ----------
    primitives
        What stands for each primitive of the language, by its name.
    """

    def __init__(self, primitives: Mapping[str, Any]) -> None:
        self._known: dict[Callable[..., Any], Any] = {
            function: primitives[name] for name, function in language.PRIMITIVES.items()
        }

    def rebound(self, function: Callable[..., Any]) -> types.FunctionType:
        """Return a function as it is written, with translated globals."""
        found = _plain(function)
        translated = {
            name: self._translated(value) if callable(value) else value
            for name, value in _globals_of(found)
        }
        translated["__name__"] = found.__module__
        return types.FunctionType(self.code(found), translated, found.__name__, found.__defaults__)

    def code(self, function: types.FunctionType) -> types.CodeType:
        """Return the code of a function; here: its own."""
        return function.__code__

    def callee(self, function: types.FunctionType, *, is_inlined: bool) -> Any:  # noqa: ARG002
        """Return what stands for a helper that has been rebound; here: itself."""
        return function

    def _translated(self, value: Callable[..., Any]) -> Any:
        if value not in self._known:
            _check_callee(value)
            self._known[value] = self.callee(
                self.rebound(value), is_inlined=value in language.INLINED
            )
        return self._known[value]


def fingerprint(function: Callable[..., Any]) -> bytes:
    """Return a digest of what a function computes: its code, its constants, and what it calls.

    Parameters
    ----------
    function
        A kernel or a helper.
    """
    return _fingerprint(_plain(function), {})


def _fingerprint(function: types.FunctionType, known: dict[types.FunctionType, bytes]) -> bytes:
    if function not in known:
        code = function.__code__
        # The documentation is a constant, and computes nothing.
        skipped = function.__doc__ is not None
        digest = hashlib.blake2b(code.co_code, digest_size=16)
        parts = (code.co_consts[skipped:], code.co_names, code.co_varnames, code.co_argcount)
        digest.update(repr((parts, function.__defaults__)).encode())
        for name, value in _globals_of(function):
            digest.update(name.encode())
            if isinstance(value, (int, float)):
                digest.update(repr(value).encode())
            elif language.PRIMITIVES.get(getattr(value, "__name__", "")) is not value:
                _check_callee(value)
                digest.update(bytes([value in language.INLINED]))
                digest.update(_fingerprint(_plain(value), known))
        known[function] = digest.digest()
    return known[function]


def _globals_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the globals that a function may use, in the order in which it names them."""
    found = function.__globals__
    for name in dict.fromkeys(function.__code__.co_names):
        if name in found:
            yield name, found[name]


def _plain(function: Callable[..., Any]) -> types.FunctionType:
    if not isinstance(function, types.FunctionType) or function.__closure__:
        raise TypeError(f"{function!r} is no plain function")
    return function


def _check_callee(value: Any) -> None:
    known = value in language.HELPERS or value in language.INLINED
    if not known and language.KERNELS.get(getattr(value, "__name__", "")) is not value:
        raise TypeError(f"{value!r} is neither a primitive nor a helper: kernels cannot use it")
