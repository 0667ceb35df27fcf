"""The net catches fish: bugs planted in the machines are found within a few seeds.

Each of these is a mistake that somebody could make, in one place; all of them pass a test that only
looks at the path where nothing goes wrong.
"""

from __future__ import annotations

import pytest

from hocket.client.machine import CANCELLED, PENDING, ClientMachine
from hocket.protocol.messages import CancelTasks, TasksDone
from hocket.protocol.session import Session
from hocket.scheduler import losses
from hocket.scheduler.draining import Draining
from hocket.scheduler.explain import Explaining
from hocket.scheduler.machine import SchedulerMachine
from hocket.scheduler.state.outbox import WorkerOutbox
from hocket.scheduler.tables import Tables
from hocket.testing import simulate
from hocket.testing.__main__ import main
from hocket.worker import cancelled, fetching, overdue, running
from hocket.worker.deadlines import Deadlines
from hocket.worker.devices import Devices
from hocket.worker.machine import WorkerMachine
from hocket.worker.resources import Resources
from hocket.worker.state import TaskState
from hocket.worker.units import UNITS

SEEDS_MAX = 1000


def ignore_attempts_in_done(monkeypatch):
    """A late answer of an earlier attempt is taken for one of the present attempt."""
    original = SchedulerMachine._on_tasks_done

    def on_tasks_done(self, worker, message):
        tasks = self.tables.tasks
        attempts = [
            tasks[key].attempt if key in tasks else attempt
            for key, attempt in zip(message.keys, message.attempts, strict=True)
        ]
        sizes, values = message.nbytes, message.values
        done = TasksDone(message.keys, attempts, sizes, message.starts, message.durations, values)
        original(self, worker, done)

    monkeypatch.setattr(SchedulerMachine, "_on_tasks_done", on_tasks_done)


def keep_what_nobody_wants(monkeypatch):
    """Workers are not told of values that came too late."""
    original = WorkerOutbox.drop

    def drop(self, key, attempt):
        if attempt % 7:
            original(self, key, attempt)

    monkeypatch.setattr(WorkerOutbox, "drop", drop)


def lose_a_frame_on_resuming(monkeypatch):
    """After a cut, the first frame that the other side has not seen is not sent again."""
    original = Session.frames_after

    def frames_after(self, sequence):
        frames = original(self, sequence)
        next(frames, None)
        return frames

    monkeypatch.setattr(Session, "frames_after", frames_after)


def take_frames_twice(monkeypatch):
    """Frames that came already are delivered again after a cut."""
    original = Session.receive

    def receive(self, frame):
        payload = original(self, frame)
        return frame.payload if payload is None and frame.sequence else payload

    monkeypatch.setattr(Session, "receive", receive)
    monkeypatch.setattr(Session, "resume", lambda self, peer_seen: None)


def forget_that_a_class_is_pinned(monkeypatch):
    """A function is dropped while a client believes that the scheduler has it."""

    def forget_kind(self, kind):
        if not kind.tasks_count and self.kinds.get(kind.digest) is kind:
            del self.kinds[kind.digest]
            for worker in self.workers.values():
                worker.outbox.drop_function(kind.digest)

    monkeypatch.setattr(Tables, "forget_kind", forget_kind)
    original = SchedulerMachine.turn

    def turn(self):
        for kind in list(self.tables.kinds.values()):
            self.tables.forget_kind(kind)
        return original(self)

    monkeypatch.setattr(SchedulerMachine, "turn", turn)


def never_release_resources(monkeypatch):
    """A task's resources stay reserved."""
    monkeypatch.setattr(Resources, "release", lambda self, needs: None)


def give_any_attempt(monkeypatch):
    """A worker takes whatever a peer says to a question for what it asked for."""
    original = fetching._take_in

    def take_in(tables, address, datum, answer, now_s):
        if answer.attempt < 0:
            answer.value = 12345
        answer.attempt = datum.attempt
        original(tables, address, datum, answer, now_s)

    monkeypatch.setattr(fetching, "_take_in", take_in)


def report_no_replicas(monkeypatch):
    """The scheduler does not hear of copies, so nobody drops them."""
    original = WorkerMachine.take_outbox

    def take_outbox(self):
        return [one for one in original(self) if type(one).__name__ != "ReplicasStored"]

    monkeypatch.setattr(WorkerMachine, "take_outbox", take_outbox)


def confirm_cancellation_late(monkeypatch):
    """A cancelled future whose value comes before the confirmation counts as having it."""

    def cancel(self, states, **_):
        keys = [state.key for state in states if state.status is PENDING]
        if keys:
            self.post(CancelTasks(keys))
        return keys, None

    def on_cancelled(self, message):
        for key in message.keys:
            state = self.states.get(key)
            if state is not None and state.status is PENDING:
                self._watching.settle(state, CANCELLED)

    original = ClientMachine.receive

    def receive(self, message):
        if type(message).__name__ == "TasksCancelled":
            on_cancelled(self, message)
        else:
            original(self, message)

    monkeypatch.setattr(ClientMachine, "cancel", cancel)
    monkeypatch.setattr(ClientMachine, "receive", receive)


def free_slots_of_what_goes_on(monkeypatch):
    """What cannot be interrupted is taken to have no slot any more."""

    def say_goes_on(tables, task, interrupted_s):
        cancelled.say_goes_on(tables, task, interrupted_s)
        if tables.deadlines._cancelled.get(task.attempt):
            running.end(tables, task)

    monkeypatch.setattr(overdue, "say_goes_on", say_goes_on)


def keep_quiet_of_the_end(monkeypatch):
    """A worker that said that a cancelled task goes on does not say when it ends."""

    def cancelled_ended(self, task):
        self.ended(task)
        return self._cancelled.pop(task.attempt, None) is False

    monkeypatch.setattr(Deadlines, "cancelled_ended", cancelled_ended)


def blame_whoever_was_given_it(monkeypatch):
    """Every task that a dead worker had been given is blamed for its death."""

    def running(tables, worker):
        return dict.fromkeys(worker.assigned), {}

    monkeypatch.setattr(losses, "_running", running)


def let_workers_go_at_once(monkeypatch):
    """A worker that wants to leave is let go, whatever it holds."""
    monkeypatch.setattr(Draining, "_held_alone", lambda self, tasks, leaving=(): [])


def explain_what_was(monkeypatch):
    """Requests for explanations are answered before the turn has decided."""
    original = Explaining.ask

    def ask(self, client, message):
        original(self, client, message)
        self.answer()

    monkeypatch.setattr(Explaining, "ask", ask)


def share_whole_devices(monkeypatch):
    """Devices are handed out and never counted as taken."""

    def reserve(self, units):
        whole, part = divmod(units, UNITS)
        return tuple(list(self.free)[: whole + bool(part)])

    monkeypatch.setattr(Devices, "reserve", reserve)
    monkeypatch.setattr(Devices, "release", lambda self, units, indices: None)


def keep_slots_of_those_that_wait(monkeypatch):
    """A task that waits for its own tasks keeps its slot."""

    def secede(tables, task):
        if task.state is not TaskState.RUNNING:
            return False
        task.state = TaskState.SECEDED
        tables.outbox.seceded(task.key, task.attempt)
        return True

    monkeypatch.setattr("hocket.worker.machine.secede", secede)


def try_again_at_once(monkeypatch):
    """A task that failed does not rest, and nobody looks for it again either."""
    original = Tables.wake_resting

    def wake_resting(self):
        original(self)

    monkeypatch.setattr(Tables, "wake_resting", wake_resting)


@pytest.mark.parametrize(
    "plant",
    [
        ignore_attempts_in_done,
        keep_what_nobody_wants,
        lose_a_frame_on_resuming,
        take_frames_twice,
        forget_that_a_class_is_pinned,
        never_release_resources,
        give_any_attempt,
        report_no_replicas,
        confirm_cancellation_late,
        free_slots_of_what_goes_on,
        keep_quiet_of_the_end,
        blame_whoever_was_given_it,
        let_workers_go_at_once,
        explain_what_was,
        share_whole_devices,
        keep_slots_of_those_that_wait,
        try_again_at_once,
    ],
)
def test_planted_bug_is_found(plant, monkeypatch):
    plant(monkeypatch)
    for seed in range(SEEDS_MAX):
        report = simulate(seed)
        if report.finding is not None:
            text = report.describe()
            assert f"--seed {seed}" in text
            assert report.finding.rule in text
            assert len(text.splitlines()) <= 60
            return
    pytest.fail(f"{plant.__name__} was not found in {SEEDS_MAX} seeds")


def test_command_fails_and_names_the_seed(monkeypatch, capsys):
    keep_what_nobody_wants(monkeypatch)
    assert main(["--seeds", "50"]) == 1
    told = capsys.readouterr().out
    assert "breaks the rule" in told
    seed = told.rsplit("--seed ", 1)[1].split()[0]
    assert main(["--seed", seed]) == 1
    assert "breaks the rule" in capsys.readouterr().out
