"""Data classes that cost nothing until they are used.

The standard library's compile half a dozen functions for each class when it is declared, which was
half of what importing this package took. These have one function to compile, ``__init__``, and wait
with that for the first instance; the others are the same for all classes. A type checker sees those
of the standard library, of which these are the part that this package needs; the standard library's
own functions (`dataclasses.fields` and so on) know them too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

__all__ = ["dataclass", "field", "fields", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, field, fields, replace
else:
    _NOTHING: Final = object()
    #: Where a class keeps its fields, those of its bases first.
    _FIELDS: Final = "__dataclass_fields__"

    class _Field:
        __slots__ = ("default", "default_factory", "init", "name", "repr")

        def __init__(self, default: Any, default_factory: Any, init: bool, repr: bool) -> None:  # noqa: A002, FBT001
            self.name = ""
            self.default = default
            self.default_factory = default_factory
            self.init = init
            self.repr = repr

        @property
        def _field_type(self) -> Any:
            """What the standard library tells plain fields by."""
            import dataclasses  # noqa: PLC0415 - needed by few

            return vars(dataclasses)["_FIELD"]

    def field(
        *,
        default: Any = _NOTHING,
        default_factory: Any = _NOTHING,
        init: bool = True,
        repr: bool = True,  # noqa: A002
    ) -> Any:
        """Declare how a field is filled and shown."""
        return _Field(default, default_factory, init, repr)

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """Make a class of a class body that only annotates; see the standard library's."""
        return _record(cls) if cls is not None else lambda made: _record(made, **options)

    def fields(record: Any) -> tuple[Any, ...]:
        """Return the fields of a class or an instance, each with its ``name``."""
        return tuple(getattr(record, _FIELDS).values())

    def replace(record: Any, /, **changes: Any) -> Any:
        """Return an instance like another, with other values of some fields."""
        # (What may be given to make one is what patterns match.)
        for name in record.__match_args__:
            if name not in changes:
                changes[name] = getattr(record, name)
        return type(record)(**changes)

    def _record(
        cls: type,
        *,
        frozen: bool = False,
        slots: bool = False,
        eq: bool = True,
        repr: bool = True,  # noqa: A002
    ) -> type:
        namespace = dict(cls.__dict__)
        known: dict[str, _Field] = {}
        for base in reversed(cls.__mro__[1:]):
            known.update(base.__dict__.get(_FIELDS, {}))
        own = namespace.get("__annotations__", {})
        for name in own:
            told = namespace.pop(name, _NOTHING) if slots else namespace.get(name, _NOTHING)
            known[name] = told if isinstance(told, _Field) else _Field(told, _NOTHING, True, True)  # noqa: FBT003
            known[name].name = name
        namespace[_FIELDS] = known
        namespace["__match_args__"] = tuple(each.name for each in known.values() if each.init)
        namespace.setdefault("__init__", None)
        if repr:
            namespace.setdefault("__repr__", _repr)
        if eq:
            namespace.setdefault("__eq__", _eq)
            namespace.setdefault("__hash__", _hash if frozen else None)
        if frozen:
            namespace["__setattr__"] = _set
            namespace["__delattr__"] = _delete
        if frozen and slots:
            namespace.setdefault("__getstate__", _get_state)
            namespace.setdefault("__setstate__", _set_state)
        if slots:
            namespace["__slots__"] = tuple(own)
        namespace.pop("__dict__", None)
        namespace.pop("__weakref__", None)
        made = type(cls)(cls.__name__, cls.__bases__, namespace)
        if made.__init__ is None:
            made.__init__ = _first_init(made, frozen=frozen)
        return made

    def _first_init(cls: type, *, frozen: bool) -> Callable[..., None]:
        """Return an ``__init__`` that puts a compiled one into its place."""

        def first(self: Any, *values: Any, **named: Any) -> None:
            cls.__init__ = init = _compiled_init(cls, frozen=frozen)
            init(self, *values, **named)

        return first

    def _compiled_init(cls: type, *, frozen: bool) -> Callable[..., None]:
        scope: dict[str, Any] = {"_nothing": _NOTHING, "_set": object.__setattr__}
        parameters, lines = [], []
        for name, each in getattr(cls, _FIELDS).items():
            value = name
            if each.default_factory is not _NOTHING:
                scope[f"_make_{name}"] = each.default_factory
                made = f"_make_{name}()"
                value = f"{made} if {name} is _nothing else {name}" if each.init else made
                default = "=_nothing"
            elif each.default is not _NOTHING:
                scope[f"_default_{name}"] = each.default
                default = f"=_default_{name}"
                value = name if each.init else f"_default_{name}"
            elif not each.init:
                continue  # `__post_init__` fills it
            else:
                default = ""
            if each.init:
                parameters.append(f"{name}{default}")
            lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")
        body = "\n ".join(lines or ["pass"])
        exec(f"def __init__(self, {', '.join(parameters)}):\n {body}", scope)  # noqa: S102
        init: Callable[..., None] = scope["__init__"]
        init.__qualname__ = f"{cls.__qualname__}.__init__"
        return init

    def _values(record: Any) -> tuple[Any, ...]:
        return tuple([getattr(record, name) for name in getattr(record, _FIELDS)])

    def _repr(self: Any) -> str:
        told = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__qualname__}({', '.join(told)})"

    def _eq(self: Any, other: object) -> Any:
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def _hash(self: Any) -> int:
        return hash(_values(self))

    def _get_state(self: Any) -> list[Any]:
        return list(_values(self))

    def _set_state(self: Any, state: list[Any]) -> None:
        for name, value in zip(getattr(self, _FIELDS), state, strict=True):
            object.__setattr__(self, name, value)

    def _set(self: Any, name: str, _value: Any) -> None:
        raise _frozen(self, name)

    def _delete(self: Any, name: str) -> None:
        raise _frozen(self, name)

    def _frozen(record: Any, name: str) -> AttributeError:
        from dataclasses import FrozenInstanceError  # noqa: PLC0415 - needed by nobody else

        return FrozenInstanceError(f"{type(record).__name__}.{name} cannot be changed")
