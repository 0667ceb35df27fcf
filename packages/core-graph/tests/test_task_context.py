"""Code inside a task finds its task; outside there is none, and nothing happens."""

from __future__ import annotations

from contextvars import copy_context

from hocket.core.task_context import PROVIDER, TaskContext, current_task, rejoin, secede


def test_outside_of_tasks_nothing_happens():
    assert current_task() is None
    secede()
    rejoin()


def run_in_task(function):
    """Run a function as a task; return what the executor was asked for."""
    asked = []
    slots = [True]

    def give_up():
        asked.append("secede")
        had = slots[0]
        slots[0] = False
        return had

    def take():
        asked.append("rejoin")
        slots[0] = True

    task = TaskContext("k", 3, "w", secede=give_up, rejoin=take)

    def run():
        PROVIDER.set(lambda: task)
        assert current_task() is task
        function()

    copy_context().run(run)
    assert current_task() is None
    return asked


def test_a_task_gives_up_its_slot_and_takes_it_again():
    def function():
        secede()
        rejoin()

    assert run_in_task(function) == ["secede", "rejoin"]


def test_the_secret_is_not_shown():
    assert "hush" not in repr(TaskContext("k", 1, "w", secret="hush"))
