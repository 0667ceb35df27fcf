"""Data classes of our own behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from hocket.parquet import records

WAYS = [
    {},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "eq": False},
    {"slots": True, "repr": False},
]


class Plain:
    first: int
    second: str = "two"

    def both(self):
        return f"{self.first} {self.second}"


class Filled:
    first: int
    many: list = None
    hidden: int = None
    late: int | None = None
    filled: int = None

    def __post_init__(self):
        object.__setattr__(self, "filled", self.first + 1)
        if self.first < 0:
            raise ValueError(self.first)


def body_of(made):
    return {
        name: each for name, each in vars(made).items() if name not in ("__dict__", "__weakref__")
    }


def plain(module, **options):
    return module.dataclass(**options)(type("Plain", (), body_of(Plain)))


def filled(module, **options):
    body = body_of(Filled)
    body["many"] = module.field(default_factory=list)
    body["hidden"] = module.field(default=3, repr=False)
    body["filled"] = module.field(init=False)
    body["late"] = module.field(default=None, init=False)
    return module.dataclass(**options)(type("Filled", (), body))


@records.dataclass(frozen=True, slots=True)
class Kept:
    first: int
    second: tuple[int, ...] = ()


@records.dataclass(frozen=True)
class Base:
    first: int
    second: int = 2


@records.dataclass(frozen=True)
class Derived(Base):
    third: int = 3


def shown(thing):
    return repr(thing).rsplit(".", maxsplit=1)[-1] if " at 0x" not in repr(thing) else ""


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("make", [plain, filled])
def test_they_are_like_those_of_the_standard_library(make, options):
    ours, theirs = make(records, **options), make(dataclasses, **options)
    other_field = {"second": "x"} if make is plain else {"hidden": 7}
    for arguments, named in [((1,), {}), ((1,), other_field), ((), {"first": 5}), ((2, [3]), {})]:
        mine, other = ours(*arguments, **named), theirs(*arguments, **named)
        assert shown(mine) == shown(other)
        assert {name: getattr(mine, name) for name in vars(theirs)["__annotations__"]} == {
            name: getattr(other, name) for name in vars(theirs)["__annotations__"]
        }
        assert (mine == ours(*arguments, **named)) == (other == theirs(*arguments, **named))
        assert mine != other
        assert hasattr(mine, "__dict__") == hasattr(other, "__dict__")
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)
    assert ours.__match_args__ == theirs.__match_args__
    with pytest.raises(TypeError):
        ours()
    with pytest.raises(TypeError):
        ours(1, wrong=2)


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_methods_factories_and_checks(options):
    assert plain(records, **options)(1).both() == "1 two"
    made = filled(records, **options)
    assert made(1).many is not made(1).many
    assert made(1).late is None
    with pytest.raises(ValueError, match="-1"):
        made(-1)


def test_frozen_ones_do_not_change_and_hash_by_value():
    kept = Kept(1, (2,))
    for change in (lambda: setattr(kept, "first", 2), lambda: delattr(kept, "first")):
        with pytest.raises(dataclasses.FrozenInstanceError, match=r"Kept\.first"):
            change()
    assert hash(kept) == hash(Kept(1, (2,)))
    assert {kept: 1}[Kept(1, (2,))] == 1
    assert not hasattr(kept, "__dict__")


def test_they_are_pickled_and_copied():
    kept = Kept(1, (2,))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(kept, protocol)) == kept
    assert copy.copy(kept) == copy.deepcopy(kept) == kept


def test_replacing_and_listing_fields():
    kept = Kept(1, (2,))
    assert records.replace(kept, first=3) == dataclasses.replace(kept, first=3) == Kept(3, (2,))
    with pytest.raises(TypeError, match="wrong"):
        records.replace(kept, wrong=1)
    for module in (records, dataclasses):
        assert [each.name for each in module.fields(kept)] == ["first", "second"]
        assert [each.name for each in module.fields(Kept)] == ["first", "second"]
    assert dataclasses.asdict(kept) == {"first": 1, "second": (2,)}
    assert dataclasses.is_dataclass(Kept)


def test_bases_come_first():
    assert Derived(1) == Derived(1, 2, 3)
    assert repr(Derived(1, third=4)) == "Derived(first=1, second=2, third=4)"
    assert Base(1) != Derived(1)
    assert Base(1) == Base(1, 2)
