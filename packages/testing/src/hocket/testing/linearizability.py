"""Linearizability: whether a history could have happened one operation at a time.

An operation takes effect at one moment between its call and its return. A history is right if such
moments can be found that, in their order, the operations do what the model says. The search is that
of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with the memory of Lowe
("Testing for Linearizability", 2017): take an operation that nothing unfinished must precede, see
what the model makes of it, and go on; never twice from the same operations done and the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

__all__ = ["PENDING", "Operation", "linearize", "lock_model", "queue_model", "variable_model"]

State = TypeVar("State", bound=Hashable)

#: The result of an operation that has none: it may have taken effect, or may yet, or never.
PENDING: Final = "pending"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a history.

    Attributes
    ----------
    name, argument, result
        What was asked, with what, and what came of it.
    begun, ended
        When it was called, and when it returned; None: it has not.
    """

    name: str
    argument: Hashable
    result: Hashable
    begun: int
    ended: int | None


def linearize(
    history: Sequence[Operation],
    model: Callable[[State, Operation], Iterable[State]],
    initial: State,
) -> list[Operation] | None:
    """Find an order in which the operations of a history could have taken effect.

    Parameters
    ----------
    history
        Operations, in any order.
    model
        Returns the states that an operation may lead to; none, if it cannot have its result there.
    initial
        The state before all.

    Returns
    -------
    list of Operation or None
        Those that took effect, in order; None: there is no such order.
    """
    needed = sum(1 << index for index, one in enumerate(history) if one.ended is not None)
    seen: set[tuple[int, State]] = set()
    stack: list[tuple[int, State, tuple[int, ...]]] = [(0, initial, ())]
    while stack:
        done, state, order = stack.pop()
        if done & needed == needed:
            return [history[index] for index in order]
        if (done, state) in seen:
            continue
        seen.add((done, state))
        waiting = [index for index in range(len(history)) if not done >> index & 1]
        ends = [end for index in waiting if (end := history[index].ended) is not None]
        latest = min(ends)
        for index in waiting:
            if history[index].begun <= latest:
                stack.extend(
                    (done | 1 << index, after, (*order, index))
                    for after in model(state, history[index])
                )
    return None


#: Of a lock: the token of who holds it (0: nobody), and the greatest so far.
LockState = tuple[int, int]


def lock_model(state: LockState, one: Operation) -> Iterable[LockState]:
    """Say what becomes of a lock.

    ``acquire`` has a token as its result, 0 if it gave up; ``release`` of a token, whether that was
    held; ``expire`` of a token, anything.
    """
    holder, latest = state
    if one.name == "acquire":
        if one.result == PENDING:
            if not holder:
                yield latest + 1, latest + 1
        elif one.result == 0:
            if holder:
                yield state
        elif not holder and isinstance(one.result, int) and one.result > latest:
            yield one.result, one.result
    elif one.argument == holder:
        if one.result is not False:
            yield 0, latest
    elif one.result is not True:
        yield state


#: Of a queue: what is in it, the first first; and how much there is room for.
QueueState = tuple[tuple[Hashable, ...], int]


def queue_model(state: QueueState, one: Operation) -> Iterable[QueueState]:
    """Say what becomes of a queue.

    ``put`` of a value has whether it is in as its result; ``get`` of at most a number of values has
    a tuple of them, empty if it gave up; ``put back`` is of a tuple of values.
    """
    items, room = state
    if one.name == "put":
        if one.result is False:
            if len(items) >= room:
                yield state
        elif len(items) < room:
            yield (*items, one.argument), room
    elif one.name == "put back":
        assert isinstance(one.argument, tuple)
        yield (*one.argument, *items), room
    elif one.result == PENDING:
        assert isinstance(one.argument, int)
        for count in range(1, min(one.argument, len(items)) + 1):
            yield items[count:], room
    elif not one.result:
        if not items:
            yield state
    elif isinstance(one.result, tuple) and items[: len(one.result)] == one.result:
        yield items[len(one.result) :], room


def variable_model(state: Hashable, one: Operation) -> Iterable[Hashable]:
    """Say what becomes of a variable, None standing for no value.

    ``set`` is of a value or None; ``get`` has a value as its result, or None if it gave up.
    """
    if one.name == "set":
        yield one.argument
    elif one.result in (PENDING, state):
        yield state
