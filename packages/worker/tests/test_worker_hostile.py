"""Hostile words: any message that the codec lets through, in any order, at any state of a worker.

Whoever says them knows the secret and means harm, or is out of its mind. Nothing may raise, the
invariants must hold after each, and what the worker says in turn must fit the codec. Peers that
are asked for data answer anything as well.
"""

from __future__ import annotations

from functools import cache
from types import NoneType, UnionType
from typing import Union, get_args, get_origin, get_type_hints

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hocket.core.errors import RemoteProtocolError
from hocket.core.settings import WorkerSettings
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    Failure,
    FailureKind,
    HereRan,
    RunHere,
    RunTasks,
    SchedulerToWorker,
    SecretChanged,
)
from hocket.protocol.roles import Role
from hocket.worker.invariants import check
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.state import DropFile, Fetch, Interrupt, Leave, Spill, Unspill

OWN = "tcp://me:1"
KEYS = ("a", "b", "c")
TEXTS = (
    *KEYS,
    "threads",
    "loop",
    "GPU",
    "memory",
    OWN,
    "tcp://peer:1",
    "tcp://other:1",
    "",
)
#: Numbers that fit the wire; what fits nowhere comes seldom.
INTS = (0, 1, 2, 3, 4, 5, 6, 7, 2**31, 2**53, 2**63 - 1)
ILL_INTS = (-1, -(2**63), 2**64 - 1)
FLOATS = (0.0, 1e-9, 0.5, 1.0, 2.0, 1e300, 1.7e308)
ILL_FLOATS = (-1.0, float("inf"), float("nan"))
DIGESTS = (b"f" * 16, b"g" * 16)
RESOURCES = ({}, {}, {}, {"GPU": 0.5}, {"GPU": 2.0}, {"license": 0.5, "GPU": 1.0})
#: (New secrets are the connection's: machines never hear of them.)
KINDS = [kind for kind in get_args(SchedulerToWorker) if kind is not SecretChanged]
#: Fields whose numbers are places in other columns, and those that may be left empty.
PLACES = {"function_of", "inputs", "input_holders", "holders", "wanted"}
SPARSE = {"function_of", "wanted", "inputs", "resources"}


@cache
def fields(kind):
    return get_type_hints(kind)


class Words:
    """Draws messages of any class; columns are equally long, so that the codec passes most."""

    def __init__(self, data):
        self.draw = data.draw
        self.rows = 0

    def message(self, kind):
        self.rows = self.draw(st.integers(0, 4))
        message = kind(**{name: self.value(name, hint) for name, hint in fields(kind).items()})
        if kind is RunTasks and self.draw(st.integers(0, 3)):
            # Else hardly any could ever run.
            message.executor = self.draw(st.sampled_from(["threads", "loop"]))
            message.resources = self.draw(st.sampled_from(RESOURCES))
            message.blobs = [b"pickle"] * self.rows
            if self.draw(st.booleans()):
                message.inputs = []
        return message

    def value(self, name, hint):
        kind, inside = get_origin(hint) or hint, get_args(hint)
        if kind in (UnionType, Union):
            member = self.draw(st.sampled_from(inside))
            return None if member is NoneType else self.value(name, member)
        if kind in (list, dict):
            if name in SPARSE and self.draw(st.booleans()):
                return kind()
            if kind is dict:
                return {self.draw(st.sampled_from(TEXTS)): self.number(float, name)}
            return [self.value(name, inside[0]) for _ in range(self.rows)]
        if kind in (int, float):
            return self.number(kind, name)
        is_key = name in ("keys", "input_keys")
        return self.draw(
            {
                str: st.sampled_from(KEYS if is_key else TEXTS),
                bool: st.booleans(),
                bytes: st.sampled_from(DIGESTS),
            }[hint]
        )

    def number(self, kind, name):
        if self.draw(st.integers(0, 60)) == 60:
            return self.draw(st.sampled_from(ILL_INTS if kind is int else ILL_FLOATS))
        if kind is float:
            return self.draw(st.sampled_from(FLOATS))
        if name in PLACES:
            return self.draw(
                st.integers(0, max(0, min(self.rows - 1, 1 if name == "wanted" else 9)))
            )
        return self.draw(st.sampled_from(INTS))


class WorkerAmongEnemies(RuleBasedStateMachine):
    @initialize(memory_limit=st.sampled_from([0, 1000, 2**40]))
    def start(self, memory_limit):
        self.machine = WorkerMachine(
            name="w",
            address=OWN,
            settings=WorkerSettings(fetch_connections_max=2, fetch_nbytes_max=100),
            resources={"GPU": 2, "license": 0.5},
            executors={"threads": 2, "loop": 1},
            memory_limit=memory_limit,
        )
        self.now_s = 1000.0
        self.taken = []
        self.fetches = []
        self.requests = []
        #: What is on its way to the disk and back, and what is there.
        self.moves = []
        self.files = set()

    @rule(data=st.data(), count=st.integers(1, 6), runs=st.booleans(), takes=st.booleans())
    def hear(self, data, count, runs, takes):
        words = Words(data)
        decoder = decoder_for(Role.SCHEDULER, Role.WORKER)
        for _ in range(count):
            kinds = [RunTasks] if runs else KINDS
            try:
                heard = decoder.decode(encode([words.message(data.draw(st.sampled_from(kinds)))]))
            except RemoteProtocolError:
                # Refused at the door.
                continue
            self.machine.handle(heard, self.now_s)
            self.look()
            if takes:
                for executor in self.machine.slots:
                    self.take_one(executor)

    @rule(executor=st.sampled_from(["threads", "loop", "nothing"]), count=st.integers(1, 3))
    def take(self, executor, count):
        for _ in range(count):
            self.take_one(executor)

    def take_one(self, executor):
        task = self.machine.take(executor)
        # Who asks in vain is not told to ask again.
        assert task is not None or not self.machine.startable(executor)
        if task is not None:
            self.taken.append(task)
        self.look()

    @rule(data=st.data(), how=st.sampled_from(["executed", "failed", "rescheduled"]))
    def end(self, data, how):
        if not self.taken:
            return
        task = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        if how == "executed":
            nbytes = data.draw(st.sampled_from([0, 8, 5000]))
            self.machine.executed(task, object(), nbytes, self.now_s, 0.1, b"inline")
        elif how == "failed":
            failure = Failure(FailureKind.RAISED, task.key, "boom")
            self.machine.failed(task, failure, self.now_s, 0.1)
        else:
            self.machine.rescheduled(task, self.now_s, 0.1)
        self.look()

    @rule(data=st.data(), how=st.sampled_from(["secede", "rejoin"]))
    def give_up_slot(self, data, how):
        if self.taken:
            task = data.draw(st.sampled_from(self.taken))
            getattr(self.machine, how)(task)
            self.look()

    @rule(data=st.data(), how=st.sampled_from(["answer", "answer", "busy", "fail"]))
    def peer_answers(self, data, how):
        if not self.fetches:
            return
        fetch = data.draw(st.sampled_from(self.fetches))
        if data.draw(st.booleans()):
            # Else it answers once more later on.
            self.fetches.remove(fetch)
        count = data.draw(st.integers(0, len(fetch.keys) + 1))
        if how == "fail":
            self.machine.fetch_failed(fetch, self.now_s)
        elif how == "busy":
            names = st.lists(st.sampled_from(TEXTS), max_size=4)
            addresses = [data.draw(names) for _ in range(count)]
            self.machine.fetch_busy(fetch, addresses, self.now_s)
        else:
            right = [datum.attempt for datum in fetch.data] + [0]
            answers = [
                Answer(
                    data.draw(st.sampled_from([right[row], right[row], -1, 3, 2**63])),
                    data.draw(st.sampled_from([0, 50, 5000, 2**62])),
                    object(),
                    data.draw(st.sampled_from(["", "", "", "it cannot be pickled"])),
                )
                for row in range(count)
            ]
            self.machine.fetched(fetch, answers, self.now_s)
        self.look()

    @rule(data=st.data(), key=st.sampled_from("abc"))
    def put(self, data, key):
        self.machine.put(key, object(), data.draw(st.sampled_from([0, 8, 5000])))
        self.look()

    @rule(nbytes=st.sampled_from([0, 500, 900, 2**50]))
    def sample(self, nbytes):
        self.machine.memory_sampled(nbytes)
        self.look()

    @rule(seconds=st.sampled_from([0.001, 0.05, 5.0]))
    def pass_time(self, seconds):
        self.now_s += seconds
        self.machine.tick(self.now_s)
        self.look()

    @rule()
    def leave(self):
        self.machine.leave("it is to end")
        self.look()

    @rule()
    def answer_requests(self):
        for number in self.requests:
            self.machine.here_ran(HereRan(number, b"value", None))
        self.requests.clear()

    @rule(how=st.sampled_from(["done", "fails", "is full"]))
    def disk_answers(self, how):
        """Have the disk, which is no enemy, answer all that it was asked."""
        moves, self.moves = self.moves, []
        disk = self.machine.disk
        for move in moves:
            if isinstance(move, Unspill):
                if how == "done":
                    disk.unspilled(move, b"value", self.now_s, 0.1)
                else:
                    disk.lost(move.datum, move.file, "it is damaged", self.now_s)
            elif how == "done":
                file = object()
                self.files.add(file)
                disk.spilled(move, file, self.now_s, 0.1)
            elif how == "fails":
                disk.cannot_spill(move, "it cannot be pickled")
            else:
                disk.is_full(move, "there is no room", self.now_s)
        self.look()

    @rule()
    def send(self):
        said = self.machine.take_outbox()
        if said:
            # It raises if anything of it does not fit.
            assert len(decoder_for(Role.WORKER, Role.SCHEDULER).decode(encode(said))) == len(said)
        self.machine.take_discarded()

    def look(self):
        """Take what is to be done, as a shell does after everything."""
        for command in self.machine.take_commands():
            if isinstance(command, Fetch):
                assert command.address != OWN
                self.fetches.append(command)
            elif isinstance(command, RunHere):
                self.requests.append(command.request)
            elif isinstance(command, Spill | Unspill):
                self.moves.append(command)
            elif isinstance(command, DropFile):
                self.files.remove(command.file)
            else:
                assert isinstance(command, Interrupt | Leave)
        for task in self.machine.take_granted():
            assert task in self.taken

    @invariant()
    def invariants_hold(self):
        if hasattr(self, "machine"):
            check(self.machine)
            running = [task for task in self.taken if task.state.name == "RUNNING"]
            for name, count in self.machine.slots.items():
                assert sum(1 for task in running if task.terms.lane.name == name) <= count

    def teardown(self):
        if not hasattr(self, "machine"):
            return
        while self.taken:
            self.machine.executed(self.taken.pop(), None, 8, self.now_s, 0.1)
        self.send()
        assert not self.machine.running_count


TestWorkerAmongEnemies = WorkerAmongEnemies.TestCase
TestWorkerAmongEnemies.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
