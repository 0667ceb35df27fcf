"""The kernels, ready to be called, from wherever this installation has them.

In this order: the shared library of the wheel, for this processor; what an earlier process compiled
and kept; Numba, now; or, for small amounts of data when nothing is compiled, the kernels as they
are written, in Python. The environment variable ``HOCKET_PARQUET_KERNELS`` allows only one way:
``compiled`` (the first two), ``jit`` (the middle two) or ``interpreted`` (the last).

Call one by its name: ``KERNEL.decode_levels(source, ...)``. Arguments are integers; addresses of
NumPy arrays come from `address`. Before much is decoded, `expect` is told how much.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from hocket.parquet.errors import InvalidOption, KernelsUnavailable
from hocket.parquet.kernels import catalogue, shipped

__all__ = [
    "AS_WRITTEN",
    "COMPILED_HERE",
    "KERNEL",
    "VARIABLE",
    "Kernels",
    "address",
    "expect",
    "origin",
]

#: Names the only way allowed.
VARIABLE: Final = "HOCKET_PARQUET_KERNELS"

#: Where a kernel comes from, if not from a wheel.
COMPILED_HERE: Final = "compiled here, by this or an earlier process"
AS_WRITTEN: Final = "as it is written, in Python"

_WAYS: Final = ("", "compiled", "jit", "interpreted")

#: Less than this, all in all, is decoded in Python when nothing is compiled: at 1 to 2 microseconds
#: a byte it takes no longer than compiling.
_PATIENCE_NBYTES: Final = 4 << 20

#: More than this at once is never decoded in Python: it would take a quarter of an hour and longer.
_ABSURD_NBYTES: Final = 512 << 20

_Function = Callable[..., int]


def address(array: np.ndarray[Any, Any]) -> int:
    """Return where an array's first element lies. The caller keeps the array alive."""
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


class Kernels:
    """All kernels as attributes, found when first asked for.

    Parameters
    ----------
    way
        The only way allowed to find them (``""``: any); what the environment says, unless told.
    folder
        Where the libraries of the wheel are.
    """

    def __init__(self, way: str | None = None, *, folder: Path = shipped.FOLDER) -> None:
        self._finder = _Finder(way, folder, self.__dict__)

    def __getattr__(self, name: str) -> _Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._finder.find(name)


def expect(nbytes: int, kernels: Kernels | None = None) -> None:
    """Tell that so much is about to be decoded, so that Numba is waited for when it is worth it.

    Where nothing is compiled, kernels run in Python as long as little has been announced; without
    any announcement they are compiled when they are first asked for.

    Parameters
    ----------
    nbytes
        The number of bytes, uncompressed.
    kernels
        Which; `KERNEL`, unless told.

    Raises
    ------
    KernelsUnavailable
        Nothing is compiled, nothing can compile, and this is far too much for Python.
    """
    (KERNEL if kernels is None else kernels)._finder.expect(nbytes)  # noqa: SLF001


def origin(name: str, kernels: Kernels | None = None) -> str:
    """Tell in words where a kernel comes from.

    Parameters
    ----------
    name
        The kernel.
    kernels
        Which; `KERNEL`, unless told.
    """
    chosen = KERNEL if kernels is None else kernels
    getattr(chosen, name)
    return chosen._finder.origins[name]  # noqa: SLF001


class _Finder:
    """Finds kernels, one at a time, and puts them where they are attributes."""

    def __init__(self, way: str | None, folder: Path, attributes: dict[str, Any]) -> None:
        self.origins: dict[str, str] = {}
        self._lock = threading.RLock()
        self._attributes = attributes
        self._told = way
        self._folder = folder
        self._library: shipped.ShippedLibrary | None = None
        self._is_library_known = False
        self._modules: dict[str, dict[str, _Function]] = {}
        self._expected_nbytes: int | None = None
        self._failures: dict[str, KernelsUnavailable] = {}
        self._has_warned = False

    def find(self, name: str) -> _Function:
        """Return a kernel, by the first way that leads to one.

        Raises
        ------
        AttributeError
            There is no such kernel.
        KernelsUnavailable
            The only way allowed leads nowhere.
        """
        with self._lock:
            if name not in self._attributes:
                # From now on it is a plain attribute.
                self._attributes[name], self.origins[name] = self._found(name)
            return self._attributes[name]  # type: ignore[no-any-return]

    def expect(self, nbytes: int) -> None:
        """See `expect`."""
        with self._lock:
            if self._way or self._library_of_wheel():
                return
            self._expected_nbytes = (self._expected_nbytes or 0) + nbytes
            if self._is_patient():
                return
            self._give_up_or_compile(nbytes)

    def _found(self, name: str) -> tuple[_Function, str]:
        library = self._library_of_wheel()
        function = library.function(name) if library else None
        if library and function:
            return function, f"the wheel's library for {library.level}"
        subject = catalogue.subject_of(name)
        if subject is None:
            raise AttributeError(f"there is no kernel {name!r}")
        if self._way != "interpreted" and (subject in self._modules or self._compiled(subject)):
            return self._modules[subject][name], COMPILED_HERE
        written = {each.__name__: each for each in catalogue.kernels_of(subject)}
        return written[name], AS_WRITTEN

    def _give_up_or_compile(self, nbytes: int) -> None:
        """React to having more to decode than Python should."""
        reason = next(iter(self._failures.values()), None) or _just_in_time().missing()
        if reason is None:
            # They are found anew, compiled, when next asked for.
            for name, told in self.origins.items():
                if told == AS_WRITTEN:
                    self._attributes.pop(name, None)
        elif nbytes > _ABSURD_NBYTES:
            raise KernelsUnavailable(
                f"{nbytes:,} bytes are to be decoded, and no kernels are compiled: {reason.reason}"
            )
        else:
            self._warn(reason)

    def _compiled(self, subject: str) -> bool:
        """Have a module compiled, by an earlier process or by this one; tell whether it is."""
        functions = _just_in_time().find_kept(subject)
        if functions is None:
            if self._way == "compiled":
                raise KernelsUnavailable(
                    f"there is no compiled library for this processor, and {VARIABLE} allows "
                    "nothing else"
                )
            if not self._way and (subject in self._failures or self._is_patient()):
                return False
            try:
                functions, _ = _just_in_time().compiled(subject)
            except KernelsUnavailable as failure:
                if self._way:
                    raise
                self._failures[subject] = failure
                # That there is no compiler is told when it matters.
                if _just_in_time().missing() is None:
                    self._warn(failure)
                return False
        self._modules[subject] = functions
        return True

    def _is_patient(self) -> bool:
        return self._expected_nbytes is not None and self._expected_nbytes < _PATIENCE_NBYTES

    def _library_of_wheel(self) -> shipped.ShippedLibrary | None:
        if not self._is_library_known:
            if self._way in {"", "compiled"}:
                self._library = shipped.ShippedLibrary.find(self._folder)
            self._is_library_known = True
        return self._library

    def _warn(self, reason: KernelsUnavailable) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"Parquet is decoded in Python, hundreds of times slower than compiled: "
                f"{reason.reason}",
                RuntimeWarning,
                stacklevel=4,
            )

    @property
    def _way(self) -> str:
        way = os.environ.get(VARIABLE, "") if self._told is None else self._told
        if way not in _WAYS:
            raise InvalidOption(f"{VARIABLE} is {way!r}; it can be {', '.join(_WAYS[1:])}")
        return way


def _just_in_time() -> Any:
    """Return what finds and compiles kernels; with a wheel's library, nothing of it is needed."""
    from hocket.parquet.kernels import just_in_time  # noqa: PLC0415

    return just_in_time


#: The kernels of this process.
KERNEL: Final = Kernels()
