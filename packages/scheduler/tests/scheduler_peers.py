"""Peers of the scheduler machine, as models: workers that obey, and any peer that does not."""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from hocket.protocol.messages import (
    AbandonTasks,
    CopyData,
    DropData,
    Failure,
    FailureKind,
    HereRan,
    LeaveCluster,
    RecallTasks,
    ReplicasStored,
    RunHere,
    RunTasks,
    TasksReturned,
)


class ModelWorker:
    """Keeps what a worker was told, and answers when asked to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.address = f"tcp://{name}"
        #: What it was told and has not heard yet: what it says meanwhile crosses that.
        self.inbox: list[Any] = []
        self.jobs: dict[int, tuple[str, list[tuple[str, int]]]] = {}
        self.data: dict[str, int] = {}
        #: Values that it is to copy, by key.
        self.copies: dict[str, int] = {}
        self.may_leave = False

    def told(self, message: Any) -> list[Any]:
        """Do as it was told; return what it says to that at once."""
        kind = type(message)
        if kind is RunTasks:
            self.add_jobs(message)
        elif kind is LeaveCluster:
            self.may_leave = True
        elif kind is RunHere:
            return [HereRan(message.request, b"v", None)]
        elif kind in (DropData, AbandonTasks, RecallTasks, CopyData):
            rows = zip(message.keys, message.attempts, strict=True)
            answers = [self.told_row(kind, key, attempt) for key, attempt in rows]
            return [one for one in answers if one is not None]
        return []

    def add_jobs(self, message: RunTasks) -> None:
        for row, (key, attempt) in enumerate(zip(message.keys, message.attempts, strict=True)):
            inputs = [
                (message.input_keys[one], message.input_attempts[one])
                for one in (message.inputs[row] if message.inputs else [])
            ]
            assert attempt not in self.jobs
            self.jobs[attempt] = (key, inputs)

    def told_row(self, kind: Any, key: str, attempt: int) -> Any:
        if kind is DropData:
            for some in (self.data, self.copies):
                if some.get(key) == attempt:
                    del some[key]
        elif kind is CopyData:
            if self.data.get(key) == attempt:
                return ReplicasStored([key], [attempt])
            self.copies[key] = attempt
        elif self.jobs.pop(attempt, None) and kind is RecallTasks:
            return TasksReturned([key], [attempt])
        return None


#: Numbers that fit the wire and little else; what fits nowhere comes last, and seldom.
ABSURD_INTS = (0, 1, 2, 3, 2**31, 2**53, 2**63 - 1, 2**64 - 1)
ABSURD_FLOATS = (0.0, 1e-9, 0.5, 2.0, 1e300, 1.7e308)
ILL_INTS = (-1, -(2**63))
ILL_FLOATS = (-1.0, float("inf"), float("nan"))
DIGESTS = (b"f" * 16, b"g" * 16, b"h" * 16)
#: Fields that hold indices into other columns, and those that may be left empty.
INDICES = {"dependencies", "wanted", "function_of", "priority", "retries"}
SPARSE = {"function_of", "ranks", "values", "workers", "dependencies", "resources"}


@cache
def fields(kind: Any) -> dict[str, Any]:
    """Return the types of a message's fields."""
    return get_type_hints(kind)


class Hostile:
    """Draws messages of any class; columns are equally long, so that the codec passes most.

    Parameters
    ----------
    texts
        Keys, names and addresses that are known at the moment, and some that are not.
    attempts
        Pairs of key and attempt that are.
    """

    def __init__(
        self, data: st.DataObject, texts: list[str], attempts: list[tuple[str, int]]
    ) -> None:
        self.draw = data.draw
        self.texts = st.sampled_from(texts)
        self.attempts = attempts
        self.rows = 0

    def message(self, kinds: Any) -> Any:
        kind = self.draw(st.sampled_from(get_args(kinds)))
        self.rows = self.draw(st.integers(0, 4))
        message = self.struct(kind)
        if self.attempts and {"keys", "attempts"} <= fields(kind).keys():
            drawn = self.draw(st.lists(st.sampled_from(self.attempts), max_size=self.rows))
            for row, (key, attempt) in enumerate(drawn[: len(message.keys)]):
                message.keys[row] = key
                message.attempts[row : row + 1] = [attempt]
        return message

    def struct(self, kind: Any) -> Any:
        return kind(**{name: self.value(name, hint) for name, hint in fields(kind).items()})

    def value(self, name: str, hint: Any) -> Any:
        kind, inside = get_origin(hint) or hint, get_args(hint)
        if kind in (UnionType, Union):
            member = self.draw(st.sampled_from(inside))
            return None if member is NoneType else self.value(name, member)
        if kind in (list, dict):
            if name in SPARSE and self.draw(st.booleans()):
                return kind()
            if kind is dict:
                return {self.draw(self.texts): self.number(ABSURD_FLOATS, ILL_FLOATS)}
            return [self.value(name, inside[0]) for _ in range(self.rows)]
        if kind in (int, float):
            fit = ABSURD_FLOATS if kind is float else ABSURD_INTS
            return self.number(
                (0, 1, 2, 3) if name in INDICES else fit, ILL_FLOATS if kind is float else ILL_INTS
            )
        drawn = {
            str: self.texts,
            bool: st.booleans(),
            bytes: st.sampled_from(DIGESTS),
            Failure: st.builds(Failure, st.sampled_from(FailureKind), self.texts, self.texts),
        }
        if issubclass(hint, IntEnum):
            drawn[hint] = st.sampled_from(hint)
        return self.draw(drawn[hint]) if hint in drawn else self.struct(hint)

    def number(self, fit: Any, unfit: Any) -> Any:
        return self.draw(st.sampled_from(unfit if self.draw(st.integers(0, 60)) == 60 else fit))
