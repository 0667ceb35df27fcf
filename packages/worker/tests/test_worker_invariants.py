"""Each rule is broken by hand once, so that none can sleep."""

from __future__ import annotations

import pytest

from hocket.core.errors import InvariantBroken
from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import RunTasks
from hocket.worker.invariants import check
from hocket.worker.machine import WorkerMachine
from hocket.worker.state import Datum, Fetch, TaskState, WantState

A, B = "tcp://a:1", "tcp://b:1"


@pytest.fixture
def machine():
    """Return a machine with a task and a value in every state."""
    made = WorkerMachine(
        name="w",
        address="tcp://own:1",
        settings=WorkerSettings(fetch_connections_max=1),
        resources={"GPU": 2},
    )
    keys = ["done", "running", "ready", "waiting", "expecting"]
    message = RunTasks(
        functions=[b"f"],
        labels=["f"],
        blobs=[b""],
        keys=keys,
        attempts=[1, 2, 3, 4, 5],
        priorities=[0, 1, 2, 3, 4],
        function_of=[],
        payloads=[b""] * 5,
        wanted=[],
        inputs=[[], [], [], [0, 1], [2]],
        input_keys=["x", "y", "ready"],
        input_attempts=[7, 8, 3],
        input_nbytes=[1, 1, 1],
        input_holders=[[0], [1], []],
        addresses=[A, B],
        resources={"GPU": 1},
    )
    made.handle([message], 0.0)
    made.executed(made.take(), "value", 10, 0.0, 0.0)
    made.take()
    made.take_commands()
    check(made)
    return made


def wanted(machine, state):
    (datum,) = [each for each in machine.tables.wanted.values() if each.want.state is state]
    return datum


def task(machine, key):
    return machine.tables.tasks[key]


def unsettle(machine):
    machine.tables.unsettled.append(wanted(machine, WantState.QUEUED))


def miscount_ready(machine):
    machine.tables.ready.count += 1


def miscount_missing(machine):
    task(machine, "waiting").missing = 1


def miscount_bytes(machine):
    machine.tables.held_nbytes += 1


def rename_task(machine):
    task(machine, "ready").key = "other"


def rename_value(machine):
    machine.tables.held["done"].key = "other"


def rename_wanted(machine):
    wanted(machine, WantState.QUEUED).attempt = 99


def keep_what_is_gone(machine):
    task(machine, "running").state = TaskState.GONE


def run_unknown(machine):
    machine.tables.running.clear()


def run_what_does_not(machine):
    task(machine, "running").state = TaskState.READY


def wait_for_nothing(machine):
    task(machine, "waiting").inputs = []
    task(machine, "waiting").missing = 0


def be_ready_without_inputs(machine):
    task(machine, "ready").inputs = [wanted(machine, WantState.QUEUED)]


def stand_in_no_list(machine):
    wanted(machine, WantState.QUEUED).want.waiters.clear()


def leak_resources(machine):
    machine.tables.resources.free["GPU"] += 1


def overdraw_resources(machine):
    machine.tables.resources.free["GPU"] = -1


def hold_what_is_wanted(machine):
    datum = wanted(machine, WantState.QUEUED)
    machine.tables.held[datum.key] = Datum(datum.key, datum.attempt, 0, None)


def hold_a_wish(machine):
    machine.tables.held["done"].want = wanted(machine, WantState.QUEUED).want


def want_without_reason(machine):
    wanted(machine, WantState.QUEUED).want = None


def want_for_strangers(machine):
    del machine.tables.tasks["waiting"]


def want_less_urgently(machine):
    wanted(machine, WantState.QUEUED).want.priority = 99


def expect_from_nobody(machine):
    task(machine, "ready").attempt = 99


def queue_without_holder(machine):
    wanted(machine, WantState.QUEUED).want.holders.clear()


def ask_itself(machine):
    wanted(machine, WantState.QUEUED).want.holders.append("tcp://own:1")


def queue_nowhere(machine):
    machine.tables.queue._queues.clear()


def have_no_source(machine):
    wanted(machine, WantState.QUEUED).want.state = WantState.NEW


def fetch_nothing(machine):
    machine.tables.fetches.clear()


def fetch_twice(machine):
    machine.tables.fetches[B] = Fetch(B, [wanted(machine, WantState.FETCHING)])


def fetch_elsewhere(machine):
    machine.tables.fetches[A].address = B


def fetch_emptily(machine):
    machine.tables.fetches[B] = Fetch(B, [])


def fetch_what_is_queued(machine):
    machine.tables.fetches[B] = Fetch(B, [wanted(machine, WantState.QUEUED)])


BREAKS = {
    unsettle: "every event settles",
    miscount_ready: "ready tasks are counted",
    miscount_missing: "missing inputs are counted",
    miscount_bytes: "held bytes are counted",
    rename_task: "a task stands under its key",
    rename_value: "a value stands under its key",
    rename_wanted: "a wanted value stands under its name",
    keep_what_is_gone: "what is gone is not in the table",
    run_unknown: "who runs is known",
    run_what_does_not: "ready tasks are counted",
    wait_for_nothing: "who waits waits for something",
    be_ready_without_inputs: "who is ready has all inputs",
    stand_in_no_list: "who waits stands in the list",
    leak_resources: "reserved resources are those of running tasks",
    overdraw_resources: "resources are between none and all",
    hold_what_is_wanted: "what is held is not wanted",
    hold_a_wish: "what is held is not wanted",
    want_without_reason: "missing inputs are counted",
    want_for_strangers: "waiters are here",
    want_less_urgently: "a value is as urgent as its waiters",
    expect_from_nobody: "what is expected is made here",
    queue_without_holder: "what is queued has a holder",
    ask_itself: "nobody asks itself",
    queue_nowhere: "what is queued stands in the queues",
    have_no_source: "what is wanted has a source",
    fetch_nothing: "what is fetched is asked for once",
    fetch_twice: "what is fetched is asked for once",
    fetch_elsewhere: "a fetch stands under its address",
    fetch_emptily: "a fetch asks for something",
    fetch_what_is_queued: "what is being fetched is on its way",
}


@pytest.mark.parametrize(
    ("damage", "rule"), BREAKS.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_a_broken_rule_is_named(machine, damage, rule):
    damage(machine)
    with pytest.raises(InvariantBroken, match=rule):
        check(machine)
