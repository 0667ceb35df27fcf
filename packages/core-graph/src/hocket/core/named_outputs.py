"""One result in several named parts: what picks a part where the whole was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hocket.core.errors import UserError

__all__ = ["PickOutput", "WrongOutputs"]

#: Of the names in an error, so many are shown.
_NAMED_MAX: Final = 20


class WrongOutputs(UserError):
    """A task did not return what ``outputs=`` names.

    Attributes
    ----------
    label
        The function, as people call it.
    names
        The outputs that it was to return.
    missing, unnamed
        Those that it did not return, and what it returned beside them.
    returned
        What it returned, in words.
    """

    label: str
    names: Sequence[str]
    missing: Sequence[str]
    unnamed: Sequence[str]
    returned: str

    def __init__(
        self,
        *,
        label: str,
        names: Sequence[str],
        missing: Sequence[str],
        unnamed: Sequence[str],
        returned: str,
    ) -> None:
        super().__init__(
            label=label,
            names=list(names),
            missing=list(missing),
            unnamed=list(unnamed),
            returned=returned,
        )

    def describe(self) -> str:
        """Say what is missing or too many, and what to do about it."""
        faults = []
        if self.missing:
            faults.append(f"without the output {_enumerate(self.missing)}")
        if self.unnamed:
            faults.append(f"with {_enumerate(self.unnamed)}, which outputs= does not name")
        what = " and ".join(faults) or "which has no named parts"
        return (
            f"{self.label!r} returned {self.returned} {what}; it must return a dict with the keys"
            f" {_enumerate(self.names)}, or a tuple of {len(self.names)} in this order"
        )


class PickOutput:
    """Takes one of the outputs out of a task's result; called where that is.

    What is picked is not copied, and keeps nothing of the others.

    Parameters
    ----------
    label
        The function, as people call it.
    name
        Which output.
    names
        All of them, in order.
    """

    def __init__(self, label: str, name: str, names: tuple[str, ...]) -> None:
        #: It names the task.
        self.__name__ = f"{label}[{name}]"
        self._label = label
        self._name = name
        self._names = names

    def __call__(self, result: Any) -> Any:
        """Return the output.

        Raises
        ------
        WrongOutputs
            It is not there; or the result has others that nobody named.
        """
        names, name = self._names, self._name
        fields = getattr(result, "_fields", None)
        if isinstance(result, Mapping):
            unnamed = [one for one in result if one not in names]
            if unnamed or name not in result:
                missing = [one for one in names if one not in result]
                raise self._wrong("a dict", missing, [f"{one!r:.100}" for one in unnamed])
            return result[name]
        if fields is not None and set(fields) == set(names):
            return getattr(result, name)
        if isinstance(result, (tuple, list)):
            index, count = names.index(name), len(result)
            if count > len(names) or index >= count:
                unnamed = [f"item {row}" for row in range(len(names), count)]
                what = f"a {type(result).__name__} of {count}"
                raise self._wrong(what, names[count:], unnamed)
            return result[index]
        raise self._wrong(f"an object of class {type(result).__qualname__!r},", (), ())

    def _wrong(self, returned: str, missing: Sequence[str], unnamed: Sequence[str]) -> WrongOutputs:
        return WrongOutputs(
            label=self._label,
            names=self._names,
            missing=missing,
            unnamed=unnamed,
            returned=returned,
        )


def _enumerate(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:_NAMED_MAX])
    more_count = len(names) - _NAMED_MAX
    return f"{shown} and {more_count} more" if more_count > 0 else shown
