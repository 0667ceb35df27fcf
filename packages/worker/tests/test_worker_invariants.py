"""Each rule is broken by hand once, so that none can sleep."""

from __future__ import annotations

import pytest

from hocket.core.errors import InvariantBroken
from hocket.core.settings import WorkerSettings
from hocket.protocol.messages import CopyData, RunTasks
from hocket.worker.invariants import check
from hocket.worker.lanes import Lane
from hocket.worker.machine import WorkerMachine
from hocket.worker.policy.fetch import FetchLimits
from hocket.worker.state import Datum, Fetch, TaskState, Terms, WantState
from hocket.worker.units import UNITS

A, B = "tcp://a:1", "tcp://b:1"


@pytest.fixture
def machine():
    """Return a machine with a task and a value in every state."""
    made = WorkerMachine(
        name="w",
        address="tcp://own:1",
        settings=WorkerSettings(fetch_connections_max=1),
        resources={"GPU": 4},
        executors={"threads": 2, "loop": 1},
        memory_limit=1000,
    )
    keys = ["done", "seceded", "rejoining", "running", "other", "ready", "waiting", "expecting"]
    message = RunTasks(
        functions=[b"f"],
        labels=["f"],
        blobs=[b""],
        keys=keys,
        attempts=[1, 2, 3, 4, 5, 6, 7, 8],
        priorities=list(range(8)),
        function_of=[],
        payloads=[b""] * 8,
        wanted=[],
        inputs=[[], [], [], [], [], [], [0, 1], [2]],
        input_keys=["x", "y", "ready"],
        input_attempts=[7, 8, 6],
        input_nbytes=[1, 1, 1],
        input_holders=[[0], [1], []],
        addresses=[A, B],
        resources={"GPU": 0.8},
    )
    made.handle([message], 0.0)
    made.executed(made.take(), "value", 10, 0.0, 0.0)
    made.secede(made.take())
    rejoining = made.take()
    made.secede(rejoining)
    made.take_outbox()
    made.take(), made.take()
    assert not made.rejoin(rejoining)
    made.handle([CopyData(["copy"], [9], [1], [[0]], [A])], 0.0)
    made.take_commands()
    check(made)
    return made


@pytest.fixture
def lonely():
    """Return a machine that waits for a peer's rest to be over."""
    made = WorkerMachine(name="w", address="tcp://own:1", settings=WorkerSettings())
    made.handle([CopyData(["copy"], [9], [1], [[0]], [A])], 0.0)
    made.fetch_busy(made.take_commands()[0], [], 0.0)
    check(made)
    return made


def wanted(machine, state):
    (datum,) = [
        each
        for each in machine.tables.wanted.values()
        if each.want.state is state and not each.want.is_copy
    ]
    return datum


def lane(machine):
    return machine.tables.ready.lanes["threads"]


def task(machine, key):
    return machine.tables.tasks[key]


def unsettle(machine):
    machine.tables.unsettled.append(wanted(machine, WantState.QUEUED))


def miscount_ready(machine):
    lane(machine).count += 1


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


def name_out_of_turn(machine):
    machine.tables.running[next(iter(machine.tables.running))] = None
    task(machine, "seceded").named = False
    task(machine, "other").named = True


def misname_executor(machine):
    lane(machine).name = "tape"


def miscount_slots(machine):
    machine.tables.ready.lanes["loop"].free -= 1


def overfill_slots(machine):
    lane(machine).free -= 1


def run_elsewhere(machine):
    strange = task(machine, "waiting")
    strange.terms = Terms(Lane("threads", 2), strange.terms.needs)


def miscount_rejoining(machine):
    machine.tables.rejoining_count = 0


def leave_the_line(machine):
    lane(machine).rejoining.clear()


def wait_beside_a_free_slot(machine):
    running = task(machine, "running")
    running.state = TaskState.SECEDED
    lane(machine).free += 1


def leak_a_device(machine):
    machine.tables.resources.devices["GPU"].free[3] += UNITS // 10


def share_too_much(machine):
    machine.tables.resources.devices["GPU"].free[0] = -1


def have_no_device(machine):
    task(machine, "running").devices = {}


def have_two_devices(machine):
    task(machine, "running").devices = {"GPU": (2, 3)}


def copy_under_a_wrong_key(machine):
    machine.tables.copies["other"] = machine.tables.copies.pop("copy")


def copy_what_is_not_wanted(machine):
    del machine.tables.wanted["copy", 9]


def copy_what_is_older(machine):
    machine.tables.held["copy"] = Datum("copy", 10, 0, None)


def copy_unknown(machine):
    machine.tables.copies.clear()


def copy_without_memory(machine):
    machine.tables.paused = True


def miscount_bytes_on_their_way(machine):
    machine.tables.fetching_nbytes += 1


def ask_for_too_much(machine):
    machine.tables.limits = FetchLimits(2, 1, 1)
    fetch = Fetch(B, [Datum("z", 1, 5, None)])
    machine.tables.fetches[B] = fetch
    machine.tables.fetching_nbytes += 5


def ask_too_many(machine):
    machine.tables.fetches[B] = Fetch(B, [Datum("z", 1, 0, None)])


def rest_unknown(machine):
    machine.tables.backoff.peers.clear()


def rest_while_asked(machine):
    machine.tables.backoff.busy(A, 0.0)


def know_for_nothing(machine):
    machine.tables.backoff.busy("tcp://c:1", 0.0)
    machine.tables.backoff.look(1.0)


def wait_for_nobody(machine):
    machine.tables.backoff.look(1.0)


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
    name_out_of_turn: "those that were not named come last",
    misname_executor: "an executor stands under its name",
    miscount_slots: "slots are those of running tasks",
    overfill_slots: "slots are between none and all",
    run_elsewhere: "a task has an executor of this worker",
    miscount_rejoining: "those that rejoin are counted",
    leave_the_line: "who rejoins stands in line",
    wait_beside_a_free_slot: "nobody waits for a slot that is free",
    leak_a_device: "devices are those of running tasks",
    share_too_much: "nobody shares a whole device",
    have_no_device: "who needs devices has them",
    have_two_devices: "who needs devices has them",
    copy_under_a_wrong_key: "a copy stands under its key",
    copy_what_is_not_wanted: "what is to be copied is wanted",
    copy_what_is_older: "no older copy is asked for",
    copy_unknown: "copies are known",
    copy_without_memory: "who is short of memory copies nothing",
    miscount_bytes_on_their_way: "bytes on their way are counted",
    ask_for_too_much: "bytes on their way are limited",
    ask_too_many: "requests are limited",
    rest_while_asked: "who rests is not asked",
    know_for_nothing: "who is not needed is forgotten",
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


LONELY_BREAKS = {
    rest_unknown: "who rests is known",
    wait_for_nobody: "what is queued waits for somebody",
}


@pytest.mark.parametrize(
    ("damage", "rule"), BREAKS.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_a_broken_rule_is_named(machine, damage, rule):
    damage(machine)
    with pytest.raises(InvariantBroken, match=rule):
        check(machine)


@pytest.mark.parametrize(
    ("damage", "rule"), LONELY_BREAKS.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_a_broken_rule_of_a_waiting_worker_is_named(lonely, damage, rule):
    damage(lonely)
    with pytest.raises(InvariantBroken, match=rule):
        check(lonely)
