"""Waiting without a slot: however many places a task waits in, the slot is given up once."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hocket.client.shell import blocking
from hocket.core.task_context import TaskContext


class Slots(RuleBasedStateMachine):
    """Two tasks that wait in many places, and give up their slots themselves now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.has_slot = {"a": True, "b": True}
        self.tasks = {key: self.context_of(key) for key in self.has_slot}
        self.waits: dict[str, list[AbstractContextManager[None]]] = {"a": [], "b": []}
        #: Whether the task had a slot when it began to wait.
        self.had = {"a": True, "b": True}

    def context_of(self, key: str) -> TaskContext:
        def secede() -> bool:
            had, self.has_slot[key] = self.has_slot[key], False
            return had

        def rejoin() -> None:
            assert not self.has_slot[key]
            self.has_slot[key] = True

        return TaskContext(key, 1, "w0", secede=secede, rejoin=rejoin)

    @rule(key=st.sampled_from("ab"))
    def begin(self, key: str) -> None:
        if not self.waits[key]:
            self.had[key] = self.has_slot[key]
        wait = blocking.without_slot(self.tasks[key])
        wait.__enter__()
        self.waits[key].append(wait)

    @rule(key=st.sampled_from("ab"), data=st.data())
    def end(self, key: str, data: Any) -> None:
        if self.waits[key]:
            index = data.draw(st.integers(0, len(self.waits[key]) - 1))
            self.waits[key].pop(index).__exit__(None, None, None)

    @rule(key=st.sampled_from("ab"))
    def secede(self, key: str) -> None:
        self.tasks[key].secede()
        if not self.waits[key]:
            self.had[key] = False

    @rule(key=st.sampled_from("ab"))
    def rejoin(self, key: str) -> None:
        if not self.waits[key] and not self.has_slot[key]:
            self.tasks[key].rejoin()
            self.had[key] = True

    @invariant()
    def a_slot_is_held_by_those_that_do_not_wait(self) -> None:
        for key, waits in self.waits.items():
            assert self.has_slot[key] == (self.had[key] and not waits)

    @invariant()
    def nothing_is_kept_of_those_that_do_not_wait(self) -> None:
        assert len(blocking._waits) == sum(map(bool, self.waits.values()))

    def teardown(self) -> None:
        for waits in self.waits.values():
            for wait in waits:
                wait.__exit__(None, None, None)


test_slots = Slots.TestCase
