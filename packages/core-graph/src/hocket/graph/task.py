"""Tasks: a call that is not made yet, references to the results of others, and literals."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from hocket.core.errors import InvalidGraph, LimitExceeded
from hocket.graph.keys import Key, check_key, key_text

__all__ = [
    "Literal",
    "Ref",
    "Task",
    "call",
    "dependencies_of",
    "evaluate",
    "function_name",
    "is_scalar",
    "made_task",
    "references",
]

#: A reference may lie this deep in containers; deeper ones could not be filled in safely.
NESTING_DEPTH_MAX = 100

#: Types that are never looked into: the quick way out for most arguments.
_SCALARS = frozenset({int, float, str, bytes, bool, complex, bytearray, range, slice, type(None)})

_NO_KWARGS: Mapping[str, Any] = MappingProxyType({})

#: Whether objects of a type can hold no reference: ``is_scalar(type(value))``.
is_scalar = _SCALARS.__contains__


class Ref:
    """Stands for the result of another task, in the arguments of a task or as an alias.

    Parameters
    ----------
    key
        The key of that task.

    Raises
    ------
    InvalidGraph
        ``key`` cannot be a key.
    """

    __slots__ = ("key",)

    key: Key

    def __init__(self, key: Key) -> None:
        if type(key) is not str:
            check_key(key)
        self.key = key

    def __repr__(self) -> str:
        return f"Ref({self.key!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self.key == other.key

    def __hash__(self) -> int:
        return hash((Ref, self.key))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key,)


class Literal:
    """A value that is handed over as it is: never searched for references, never copied.

    Big containers of plain data are cheaper in a ``Literal``.

    Parameters
    ----------
    value
        Anything.
    """

    __slots__ = ("value",)

    value: Any

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Literal({reprlib.repr(self.value)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Literal, (self.value,)


class Task:
    """One call, to be made when its inputs are there. Not to be changed once made.

    Lists, tuples (named ones too), dicts, sets and frozensets among the arguments are searched for
    `Ref` and nested `Task`, however deep; subclasses of them and other objects are not. A nested
    task is run as part of this one.

    Parameters
    ----------
    function
        What to call.
    args
        Positional arguments.
    kwargs
        Keyword arguments.

    Attributes
    ----------
    dependencies : tuple of Key
        The keys of all references in the arguments, each once, in order of appearance (those in a
        set in order of their text, so that the order is the same in every process).

    Raises
    ------
    InvalidGraph
        ``function`` cannot be called, ``args`` is not a sequence of arguments, or ``kwargs`` not a
        mapping from names.
    LimitExceeded
        A reference lies more than 100 containers deep.

    Examples
    --------
    >>> task = Task(sum, ([Ref("a"), Ref("b"), 3],))
    >>> task.dependencies
    ('a', 'b')
    >>> task.run({"a": 1, "b": 2})
    6
    """

    __slots__ = ("args", "dependencies", "function", "kwargs")

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    dependencies: tuple[Key, ...]

    def __init__(
        self,
        function: Callable[..., Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not callable(function):
            raise _invalid("the function of a task", function, "give something that can be called")
        if type(args) is not tuple:
            if not isinstance(args, list | tuple):
                raise _invalid("the args of a task", args, "give a tuple of arguments")
            args = tuple(args)
        if kwargs:
            if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
                raise _invalid("the kwargs of a task", kwargs, "give a dict with names as keys")
            self.kwargs = kwargs
            self.dependencies = references((*args, *kwargs.values()))
        else:
            self.kwargs = _NO_KWARGS
            self.dependencies = references(args)
        self.function = function
        self.args = args

    def run(self, values: Mapping[Key, Any]) -> Any:
        """Make the call.

        Parameters
        ----------
        values
            The results of at least the dependencies, by key.

        Returns
        -------
        object
            What the function returns. What it raises goes through.
        """
        return call(self.function, self.args, self.kwargs, values)

    def __repr__(self) -> str:
        args = [reprlib.repr(value) for value in self.args]
        args += [f"{name}={reprlib.repr(value)}" for name, value in self.kwargs.items()]
        return f"Task({function_name(self.function)}({', '.join(args)}))"

    def __reduce__(self) -> tuple[Any, ...]:
        return Task, (self.function, self.args, dict(self.kwargs))


def made_task(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    dependencies: tuple[Key, ...],
) -> Task:
    """Make a task of parts that are known to be right: nothing is checked, nothing searched.

    Parameters
    ----------
    function, args, kwargs, dependencies
        The attributes of the `Task`.
    """
    task: Task = Task.__new__(Task)
    task.function = function
    task.args = args
    task.kwargs = kwargs or _NO_KWARGS
    task.dependencies = dependencies
    return task


def call(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    values: Mapping[Key, Any],
) -> Any:
    """Call a function with arguments in which references are filled in.

    Parameters
    ----------
    function, args, kwargs
        As those of a `Task`.
    values
        The results of at least the dependencies, by key.
    """
    filled = [_fill(value, values) for value in args]
    if not kwargs:
        return function(*filled)
    return function(*filled, **{name: _fill(value, values) for name, value in kwargs.items()})


def function_name(function: object) -> str:
    """Return a short name for a callable, for labels and messages."""
    while True:
        name = getattr(function, "__name__", None)
        if isinstance(name, str):
            return name
        inner = getattr(function, "func", None)  # functools.partial has no name of its own
        if inner is None:
            return type(function).__name__
        function = inner


def references(values: Iterable[object]) -> tuple[Key, ...]:
    """Return the keys of all references in some values, each once, in order of appearance.

    A container is looked into once, so one that holds itself ends, too.

    Raises
    ------
    LimitExceeded
        A reference lies more than 100 containers deep.
    """
    found: dict[Key, None] | None = None
    seen: set[int] | None = None
    open_containers: list[Iterator[object]] = [iter(values)]
    while open_containers:
        for value in open_containers[-1]:
            kind = type(value)
            if kind in _SCALARS:
                continue
            keys = (value.key,) if kind is Ref else _direct_references(value)  # type: ignore[attr-defined]
            if keys is not None:
                if len(open_containers) > NESTING_DEPTH_MAX and keys:
                    raise LimitExceeded(
                        what="the nesting of references in the arguments of a task",
                        limit=NESTING_DEPTH_MAX,
                        asked=len(open_containers),
                    )
                if found is None:
                    found = {}
                for key in keys:
                    found[key] = None
                continue
            items = _items(value)
            if items is None:
                continue
            if seen is None:
                seen = set()
            if id(value) not in seen:
                seen.add(id(value))
                open_containers.append(items)
                break
        else:
            open_containers.pop()
    return tuple(found) if found else ()


def _direct_references(value: object) -> Iterable[Key] | None:
    """Return the keys that a value stands for, or None for one that may hold others."""
    if isinstance(value, Ref):
        return (value.key,)
    if isinstance(value, Task):
        return value.dependencies
    if type(value) is set or type(value) is frozenset:
        # The order of a set of texts changes from process to process.
        return sorted(references(value), key=key_text)
    return None


def _items(value: object) -> Iterator[object] | None:
    """Return what lies in a container that is searched, or None for anything else."""
    kind = type(value)
    if kind is list or kind is tuple:
        return iter(value)  # type: ignore[call-overload, no-any-return]
    if kind is dict:
        return _dict_items(value)  # type: ignore[arg-type]
    if _is_named_tuple(value):
        return iter(value)  # type: ignore[call-overload, no-any-return]
    return None


def _dict_items(value: dict[object, object]) -> Iterator[object]:
    for key, item in value.items():
        yield key
        yield item


def _is_named_tuple(value: object) -> bool:
    return isinstance(value, tuple) and hasattr(type(value), "_make")


def dependencies_of(entry: object) -> tuple[Key, ...]:
    """Return the keys that one entry of a graph needs, each once."""
    if isinstance(entry, Task):
        return entry.dependencies
    if isinstance(entry, Ref):
        return (entry.key,)
    return ()


def evaluate(entry: object, values: Mapping[Key, Any]) -> Any:
    """Return the value of one entry of a graph.

    Parameters
    ----------
    entry
        A task, a reference, a literal or plain data.
    values
        The results of at least its dependencies, by key.
    """
    if isinstance(entry, Task):
        return entry.run(values)
    if isinstance(entry, Ref):
        return values[entry.key]
    if isinstance(entry, Literal):
        return entry.value
    return entry


def _fill(value: Any, values: Mapping[Key, Any]) -> Any:
    """Return an argument with its references filled in; the same object if it holds none."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, Ref | Task | Literal):
        return evaluate(value, values)
    if kind is dict:
        pairs = [(_fill(key, values), _fill(item, values)) for key, item in value.items()]
        same = all(a is key and b is value[key] for key, (a, b) in zip(value, pairs, strict=True))
        return value if same else dict(pairs)
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        filled = [_fill(item, values) for item in value]
        return value if all(map(operator.is_, filled, value)) else kind(filled)
    if _is_named_tuple(value):
        filled = [_fill(item, values) for item in value]
        return value if all(map(operator.is_, filled, value)) else kind._make(filled)
    return value


def _invalid(what: str, value: object, reason: str) -> InvalidGraph:
    return InvalidGraph(
        what=what,
        value=f"{reprlib.repr(value)} (of type {type(value).__name__})",
        reason=reason,
    )
