"""A client on the simulated network: its machine, and one future of each key that its user holds.

What the shell of the client does around its machine is here too: bringing values that did not come
along with the news of them, and putting values on workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from hocket.client.batches import TaskBatch, TaskOptions
from hocket.client.holders import Holders
from hocket.client.invariants import check
from hocket.client.machine import CANCELLED, FAILED, PENDING, STORED, ClientMachine, FutureState
from hocket.core.errors import PeerLost
from hocket.protocol.messages import (
    DataReply,
    DescribeCluster,
    Failure,
    FetchData,
    KeysLocated,
    KeysLost,
    LocateKeys,
    PeerBusy,
    PlanScatter,
    ReportMissing,
    RunEverywhere,
    WaitForWorkers,
)
from hocket.protocol.roles import Role
from hocket.protocol.serialize import FunctionPickle
from hocket.testing.actor_desk import ActorDesk
from hocket.testing.coordination import Desk
from hocket.testing.host import Host, SchedulerHost
from hocket.testing.link import End
from hocket.testing.network import DataAnswer, Network
from hocket.testing.programs import Spec, digest_of
from hocket.testing.scatter import Scatter
from hocket.testing.trace import summary

__all__ = ["ClientHost", "Judge"]

_FRAME_NBYTES_MAX = 2**20
#: How often a value is asked for before it is given up.
_MISSES_MAX = 10


class Judge(Protocol):
    """Whoever looks at results."""

    #: Keys and addresses of values that were put on workers, and that no client has claimed.
    unclaimed: set[tuple[str, str]]

    def cancelled(self, keys: Sequence[str]) -> None:
        """Take note that a client cancels keys for all that want them."""

    def saw_value(self, client: str, key: str, value: object) -> None:
        """Take note that a client got a value."""

    def saw_failure(self, client: str, key: str, failure: Failure) -> None:
        """Take note that a client was told that there will be none."""

    def could_not_fetch(self, client: str, key: str) -> None:
        """Take note that there is a value that cannot be sent."""

    def gave_up(self, client: str, key: str, address: str) -> None:
        """Take note that no worker gives a value, this one least of all."""


class ClientHost(Host):
    """One client process.

    Attributes
    ----------
    machine
        The real one.
    futures
        By key: the states that its user holds a future of.
    gathered
        Keys whose values it has.
    judge
        Is told of every result.
    """

    role = Role.CLIENT
    #: Whether it is used inside of a task.
    is_nested = False

    def __init__(
        self,
        name: str,
        life: int,
        network: Network,
        scheduler: SchedulerHost,
        judge: Judge,
        on_death: Callable[[ClientHost], None],
    ) -> None:
        super().__init__(name, life, network)
        # (Actors know it by this, and each life counts its calls from 1.)
        token = f"{name}.{life}"
        self.machine = ClientMachine(token, functions_known_max=self.random.choice([1, 2, 1000]))
        self.futures: dict[str, FutureState] = {}
        self.gathered: set[str] = set()
        self.judge = judge
        self.unclaimed = judge.unclaimed
        self._on_death = on_death
        #: What to do with answers, by the number of the question.
        self._on_answer: dict[int, Callable[[Any], None]] = {}
        #: States whose values are on their way here, by key.
        self._gathering: dict[str, FutureState] = {}
        self._judged: set[str] = set()
        #: Per key: how often a holder did not give its value.
        self._misses: Counter[str] = Counter()
        self._scheduler = scheduler
        self.link = scheduler.connect(self)
        #: What its user does with locks and queues.
        self.desk = Desk(self, network.stream(name, life, "desk"))
        self.actors = ActorDesk(self)

    # What users do.

    def submit(
        self,
        specs: Sequence[Spec],
        wanted: Sequence[int] | None,
        options: TaskOptions,
        *,
        keys_are_chosen: bool = False,
    ) -> None:
        """Submit tasks, and hold futures of some of them (None: all)."""
        names = sorted({spec.function for spec in specs})
        batch = TaskBatch(
            functions=[FunctionPickle(digest_of(name), name.encode(), name, []) for name in names],
            keys=[spec.key for spec in specs],
            payloads=[spec.payload() for spec in specs],
            references=[list(spec.inputs) for spec in specs],
            function_of=[names.index(spec.function) for spec in specs],
            wanted=None if wanted is None else list(wanted),
            specs=[spec.payload() for spec in specs] if keys_are_chosen else None,
            options=options,
        )
        for state in self.machine.submit(batch):
            self._hold(state)
        self._after_event()

    def release(self, keys: Sequence[str]) -> None:
        """Let go of futures."""
        states = [self.futures.pop(key) for key in keys]
        for key in keys:
            self.gathered.discard(key)
            self._judged.discard(key)
            self._misses.pop(key, None)
        self.machine.release(states)
        self._after_event()

    def cancel(self, keys: Sequence[str], *, interrupt: bool, force: bool) -> None:
        """Cancel what is pending; where it is interrupted, ask what became of it."""
        states = [self.futures[key] for key in keys]
        wake = None
        if interrupt and self.random.random() < 0.5:
            wake = _do_nothing
        cancelled, _ = self.machine.cancel(states, interrupt=interrupt, force=force, wake=wake)
        if force:
            self.judge.cancelled(cancelled)
        self._after_event()

    def want(self, key: str) -> None:
        """Hold a future of what another client submitted."""
        self._hold(self.machine.want(key))
        self._after_event()

    def ask_around(self) -> None:
        """Make the requests that are not about data."""
        self.request(DescribeCluster)
        self.request(lambda number: WaitForWorkers(number, 1))
        self.request(lambda number: RunEverywhere(number, b"function", b"payload"))

    def scatter(self, specs: Sequence[Spec], *, broadcast: bool) -> None:
        """Put values on workers."""
        sizes = [spec.nbytes for spec in specs]
        self.request(
            lambda number: PlanScatter(number, sizes, broadcast=broadcast),
            Scatter(self, specs).planned,
        )

    def hold_scattered(self, states: Sequence[FutureState]) -> None:
        """Hold futures of values that were put on workers."""
        for state in states:
            self._hold(state)

    def request(
        self, make: Callable[[int], Any], then: Callable[[Any], None] | None = None
    ) -> None:
        """Ask the scheduler something, and do something with the answer."""
        request = self.machine.ask(make, lambda: None)
        if then is not None:
            self._on_answer[request.number] = then
        self._after_event()

    def on_answer(self, number: int, then: Callable[[Any], None]) -> None:
        """Do something when this question is answered."""
        self._on_answer[number] = then
        self._after_event()

    def forget_answer(self, number: int) -> None:
        """Do nothing when this question is answered."""
        self._on_answer.pop(number, None)

    def changed(self) -> None:
        """Take note that the machine may have something to say."""
        self._after_event()

    def die(self, reason: str) -> None:
        """End at once: the process is gone."""
        self.gone(reason)
        self.actors.process_is_gone()
        self.machine.close(PeerLost(address="tcp://scheduler:1", reason=reason), lost=True)
        check(self.machine)
        self._on_death(self)

    def leave(self) -> None:
        """Say goodbye and end."""
        self.turn()
        self.link.client.close("it leaves")
        self.die("it left")

    def _hold(self, state: FutureState) -> None:
        if state.key in self.futures:
            if self.futures[state.key] is state:
                self.machine.release([state])
                return
            self.machine.release([self.futures[state.key]])
            self.gathered.discard(state.key)
            self._judged.discard(state.key)
        self.futures[state.key] = state

    def ends_here(self) -> list[End]:
        """Return its side of its session."""
        return [self.link.client, *self.actors.ends()]

    # The loop.

    def receive(self, end: End, messages: list[Any]) -> None:
        """Take in what the scheduler said."""
        self.note(f"hears: {summary(messages)}")
        if end is not self.link.client:
            self.actors.receive(messages)
            return
        for message in messages:
            self.machine.receive(message)
            if isinstance(message, KeysLost):
                # What is made anew is another matter.
                for key in message.keys:
                    self._misses.pop(key, None)
            number = getattr(message, "request", None)
            then = None if number is None else self._on_answer.pop(number, None)
            if then is not None:
                then(message)
        for key, state in self.futures.items():
            if state.status == FAILED and key not in self._judged:
                assert state.failure is not None
                self._judged.add(key)
                self.judge.saw_failure(self.name, key, state.failure)
            elif state.value is not None and key not in self.gathered:
                self._got(state, msgspec.msgpack.decode(state.value))
        self._gather()
        self._after_event()

    def closed(self, end: End, reason: str) -> None:
        """Give up: all futures are lost."""
        if end is self.link.client:
            self.die(f"its session is over: {reason}")
        else:
            self.actors.closed(end)

    def turn(self) -> None:
        """Send what piled up."""
        for frame in self.machine.take_frames(_FRAME_NBYTES_MAX):
            self.link.client.send(frame)
        self.actors.send()
        self.machine.take_fired()

    def _after_event(self) -> None:
        check(self.machine)
        if self.machine.has_output or self.machine.actors.has_output:
            self.want_turn()

    # Values that did not come along.

    def _gather(self) -> None:
        wanted = [
            state
            for key, state in self.futures.items()
            if state.status == STORED and key not in self.gathered and key not in self._gathering
        ]
        if wanted:
            keys = [state.key for state in wanted]
            self._gathering.update(zip(keys, wanted, strict=True))
            self.request(
                lambda number: LocateKeys(number, keys),
                lambda answer: self._located(wanted, answer),
            )

    def _located(self, states: list[FutureState], answer: KeysLocated) -> None:
        for state, addresses in zip(states, answer.addresses, strict=True):
            if addresses:
                self._ask_next(state, Holders({state.key: addresses}, {state.key: state.nbytes}))
            else:
                # Then it is lost, and news of it will come, or has come.
                del self._gathering[state.key]

    def _ask_next(self, state: FutureState, holders: Holders) -> None:
        """Ask whoever is to be asked next for a value, or look for holders again."""
        plan = holders.plan()
        if not plan:
            del self._gathering[state.key]
            self.after(10 * self.network.swarm.latency_s, self._gather)
            return
        [address] = plan
        rest_s = holders.rest_s(address)
        if rest_s:
            self.after(rest_s, lambda: self._fetch(state, address, holders))
        else:
            self._fetch(state, address, holders)

    def _fetch(self, state: FutureState, address: str, holders: Holders) -> None:
        key = state.key
        self.note(f"asks {address} for {key}")

        def on_reply(reply: DataAnswer, buffers: list[bytes]) -> None:
            if isinstance(reply, PeerBusy):
                self.note(f"finds {address} busy")
                holders.busy(address, [key], reply.addresses)
                self._ask_next(state, holders)
                return
            assert isinstance(reply, DataReply)
            if not reply.errors[0] and reply.sizes[0] is None:
                self._not_there(state, address, holders, gone=True)
                return
            del self._gathering[key]
            if reply.errors[0]:
                self._cannot_be_sent(state)
            else:
                self.note(f"gets {key}#{reply.attempts[0]} from {address}")
                self._got(state, msgspec.msgpack.decode(buffers[0])[0])
            if self.futures.get(key) is not state:
                # A later future of the same key may have waited for the end of this.
                self._gather()
            self._after_event()

        def on_failure(reason: str) -> None:
            self.note(f"gets nothing from {address}: {reason}")
            self._not_there(state, address, holders, gone=False)

        self.network.request(self, address, FetchData([key]), [], on_reply, on_failure)

    def _not_there(self, state: FutureState, address: str, holders: Holders, *, gone: bool) -> None:
        key = state.key
        is_believed = bool(holders.refused(address, [key]))
        if is_believed and self.futures.get(key) is state and state.status == STORED:
            self.machine.post(ReportMissing([key], address, gone))
            self._misses[key] += 1
            if self._misses[key] >= _MISSES_MAX:
                self.note(f"gives {key} up")
                self.gathered.add(key)
                self.judge.gave_up(self.name, key, address)
        if self.futures.get(key) is state and key not in self.gathered:
            self._ask_next(state, holders)
        else:
            del self._gathering[key]
            self._gather()
        self._after_event()

    def _cannot_be_sent(self, state: FutureState) -> None:
        if self.futures.get(state.key) is state:
            self.gathered.add(state.key)
            self.judge.could_not_fetch(self.name, state.key)

    def _got(self, state: FutureState, value: object) -> None:
        if self.futures.get(state.key) is state:
            self.gathered.add(state.key)
            self.judge.saw_value(self.name, state.key, value)

    # What checkers look at.

    @property
    def is_connected(self) -> bool:
        """Whether both sides believe in its session."""
        return self.alive and self.link.server.id in self._scheduler.ends

    def held_tokens(self) -> list[int]:
        """Return the tokens of what its user believes to hold."""
        return self.desk.held_tokens()

    def waits_for(self) -> list[FutureState]:
        """Return the futures that have neither value nor failure yet."""
        return [
            *self.actors.pending(),
            *[
                state
                for key, state in self.futures.items()
                if state.status == PENDING or (state.status == STORED and key not in self.gathered)
            ],
        ]

    def wanted_keys(self) -> list[str]:
        """Return what the scheduler should believe that this client wants."""
        keys = [key for key, state in self.futures.items() if state.status != CANCELLED]
        return sorted([*keys, *self.actors.wanted_keys()])


def _do_nothing() -> None:
    pass
