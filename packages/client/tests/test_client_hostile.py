"""Hostile words: any message that the codec lets through, in any order, at any state of a client.

Whoever says them passes for the scheduler and means harm, or is out of its mind. Nothing may raise,
the invariants must hold after each, what the client says in turn must fit the codec, and in the end
nobody may wait for ever.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from types import NoneType, UnionType
from typing import Union, get_args, get_origin, get_type_hints

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from hocket.client.batches import TaskBatch
from hocket.client.invariants import check
from hocket.client.machine import PENDING, ClientMachine, Watch
from hocket.core.errors import DuplicateKey, PeerLost, RemoteProtocolError
from hocket.protocol.codec import decoder_for, encode
from hocket.protocol.messages import (
    DescribeCluster,
    KeepSetup,
    KeysScattered,
    ListTasks,
    LocateKeys,
    RebalanceKeys,
    ReplicateKeys,
    RetireWorkers,
    SchedulerToClient,
    SecretChanged,
    TaskPlace,
)
from hocket.protocol.roles import Role
from hocket.protocol.serialize import FunctionPickle

KEYS = ("a", "b", "c", "d")
TEXTS = (*KEYS, "x-0", "x-1", "tcp://peer:1", "unknown", "")
INTS = (0, 1, 2, 3, 4, 5, 2**31, 2**53, 2**63 - 1)
ILL_INTS = (-1, -(2**63), 2**64 - 1)
FLOATS = (0.0, 0.5, 1e300)
ILL_FLOATS = (-1.0, float("inf"), float("nan"))
FUNCTION = FunctionPickle(b"d" * 16, b"blob", "f", [])
GONE = PeerLost(address="tcp://x:1", reason="gone")
QUESTIONS = [
    DescribeCluster,
    lambda number: LocateKeys(number, ["a"]),
    lambda number: ReplicateKeys(number, ["a"], 2),
    lambda number: RebalanceKeys(number, ["a"]),
    lambda number: RetireWorkers(number, ["w"]),
    lambda number: ListTasks(number, TaskPlace.HELD),
    lambda number: KeepSetup(number, "s", b"f", b"p"),
]

#: (New secrets are the connection's: machines never hear of them.)
KINDS = [kind for kind in get_args(SchedulerToClient) if kind is not SecretChanged]


@cache
def fields(kind):
    return get_type_hints(kind)


class Words:
    """Draws messages of any class; columns are equally long, so that the codec passes most.

    Parameters
    ----------
    data
        What is drawn from.
    numbers
        Of questions that were asked.
    """

    def __init__(self, data, numbers):
        self.draw = data.draw
        self.numbers = [*numbers, 0, 10**6]
        self.rows = 0

    def struct(self, kind):
        return kind(**{name: self.value(name, hint) for name, hint in fields(kind).items()})

    def message(self):
        self.rows = self.draw(st.integers(0, 4))
        return self.struct(self.draw(st.sampled_from(KINDS)))

    def value(self, name, hint):
        kind, inside = get_origin(hint) or hint, get_args(hint)
        if kind in (UnionType, Union):
            member = self.draw(st.sampled_from(inside))
            return None if member is NoneType else self.value(name, member)
        if kind is list:
            return [self.value(name, inside[0]) for _ in range(self.rows)]
        if kind is dict:
            return {self.draw(st.sampled_from(TEXTS)): self.value(name, inside[1])}
        if isinstance(hint, type) and issubclass(hint, Struct):
            return self.struct(hint)
        if name == "request":
            return self.draw(st.sampled_from(self.numbers))
        is_ill = self.draw(st.integers(0, 60)) == 60
        drawn = {
            str: st.sampled_from(TEXTS),
            bool: st.booleans(),
            bytes: st.sampled_from([b"", b"value"]),
            int: st.sampled_from(ILL_INTS if is_ill else INTS),
            float: st.sampled_from(ILL_FLOATS if is_ill else FLOATS),
        }
        return self.draw(st.sampled_from(kind) if issubclass(kind, IntEnum) else drawn[hint])


class ClientAmongEnemies(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.machine = ClientMachine("token", functions_known_max=2)
        #: Futures that the user holds, watches that wait, and questions.
        self.held = []
        self.watches = []
        self.questions = []
        #: All that ever were: who asked holds what the answer names.
        self.asked = []

    @rule(data=st.data(), count=st.integers(1, 8))
    def hear(self, data, count):
        decoder = decoder_for(Role.SCHEDULER, Role.CLIENT)
        words = Words(data, self.machine.requests)
        for _ in range(count):
            try:
                heard = decoder.decode(encode([words.message()]))
            except RemoteProtocolError:
                # Refused at the door.
                continue
            for message in heard:
                self.machine.receive(message)

    @rule(key=st.sampled_from(KEYS), spec=st.sampled_from([b"1", b"2"]))
    def submit(self, key, spec):
        batch = TaskBatch([FUNCTION], [key], [b"p"], specs=[spec])
        try:
            self.held += self.machine.submit(batch)
        except DuplicateKey:
            assert self.machine.find(key) is not None

    @rule(data=st.data())
    def submit_call(self, data):
        references = [state.key for state in self.held[:2]]
        self.held.append(self.machine.submit_call("x-", FUNCTION, b"p", references))

    @rule(key=st.sampled_from(KEYS))
    def want(self, key):
        self.held.append(self.machine.want(key))

    @rule(key=st.sampled_from(KEYS), accepted=st.booleans())
    def scatter(self, key, accepted):
        request, states = self.machine.scattered(
            lambda number: KeysScattered(number, [key], [8], [["tcp://peer:1"]]),
            [key],
            lambda: None,
        )
        self.questions.append(request)
        self.asked.append(request)
        self.held += states
        if accepted:
            self.machine.accept_scattered(states, [8])

    @rule(data=st.data(), how=st.sampled_from(["release", "cancel"]))
    def let_go(self, data, how):
        if self.held:
            state = self.held[data.draw(st.integers(0, len(self.held) - 1))]
            if how == "release":
                self.held.remove(state)
            getattr(self.machine, how)([state])

    @rule(first_failure=st.booleans(), in_turn=st.booleans())
    def watch(self, first_failure, in_turn):
        watch = Watch(lambda: None, first_failure=first_failure, every=in_turn)
        states = list(dict.fromkeys(self.held))
        for state in states:
            # Who waits holds them meanwhile.
            self.machine.retain(state)
        if not self.machine.watch(states, watch):
            self.machine.release(states)
        else:
            self.watches.append((watch, states))

    @rule()
    def unwatch(self):
        if self.watches:
            watch, states = self.watches.pop(0)
            self.machine.unwatch(states, watch)
            self.machine.release(states)

    @rule(data=st.data())
    def ask(self, data):
        question = data.draw(st.sampled_from(QUESTIONS))
        self.questions.append(self.machine.ask(question, lambda: None))
        self.asked.append(self.questions[-1])

    @rule(data=st.data())
    def withdraw(self, data):
        if self.questions:
            self.machine.withdraw(self.questions.pop())

    @rule()
    def send(self):
        for frame in self.machine.take_frames(1000):
            # It raises if anything of it does not fit.
            heard = decoder_for(Role.CLIENT, Role.SCHEDULER).decode(encode(frame))
            assert len(heard) == len(frame)
        self.machine.take_fired()

    @invariant()
    def invariants_hold(self):
        check(self.machine)
        for state in self.held:
            assert state.references > 0

    def teardown(self):
        self.machine.close(GONE, lost=True)
        check(self.machine)
        assert all(state.status is not PENDING for state in self.held)
        assert not self.machine.requests
        for watch, states in self.watches:
            assert all(watch not in (state.watches or ()) for state in states)
            self.machine.release(states)
        self.machine.release(self.held)
        for request in self.asked:
            self.machine.release(request.states)
        assert not self.machine.states


TestClientAmongEnemies = ClientAmongEnemies.TestCase
TestClientAmongEnemies.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
