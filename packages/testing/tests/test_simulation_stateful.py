"""Hypothesis at the simulator: any deeds of users, any faults, any time between them.

What DESIGN.md names as invariants of the simulation, and where each is checked:

* *a task is in one place*: ``hocket.scheduler.invariants`` ("only assigned tasks have a worker",
  "a worker knows its tasks", "a queued task is in a queue, or rests") and
  ``hocket.worker.invariants``, after each event of a host;
  `ClusterHistory.attempts_are_in_one_place` between machines;
* *a wanted key is in memory, on its way, or erred*: the scheduler's ("a released task is not
  needed", "inputs of an unfinished task are stored or on their way");
  `ClusterHistory.wanted_keys_are_in_memory_on_their_way_or_failed` between machines;
* *no two attempts are current*: a record has one attempt, and
  `ClusterHistory.attempts_are_in_one_place`;
* *reserved resources equal those of running tasks and never exceed the worker's*:
  ``hocket.worker.invariants`` (the books), ``hocket.testing.reservations`` (counted from outside,
  at each beginning) and ``WorkerHost._check`` (slots);
* *counters equal recounts*: both machines' invariants;
* *everything released is forgotten when the network is quiet*: ``checkers.data``, at the end;
* *every accepted submit ends*: ``checkers.liveness`` and ``checkers.agreement``, at the end; and
  ``checkers.results`` says of each value and each failure whether it may be.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hocket.client.batches import TaskOptions
from hocket.client.invariants import check
from hocket.client.machine import CANCELLED, LOST
from hocket.testing import deeds
from hocket.testing.clock import Timeline
from hocket.testing.cluster import Cluster
from hocket.testing.network import Network
from hocket.testing.programs import FUNCTIONS, Behaviour, Spec
from hocket.testing.simulation import _come_to_rest
from hocket.testing.swarm import Faults, Swarm
from hocket.testing.trace import Trace

#: Faults that no deed stands for: they are on or off for a whole history.
AMBIENT = (
    "slow_links",
    "fragments",
    "address_reuse",
    "data_failures",
    "busy_peers",
    "memory_shortage",
)
BEHAVIOURS = (
    *[Behaviour.PLAIN] * 8,
    Behaviour.RAISES,
    Behaviour.FLAKY,
    Behaviour.POISON,
    Behaviour.STUCK,
    Behaviour.SECEDES,
    Behaviour.RESCHEDULES,
    Behaviour.NESTED,
)
OPTIONS = st.builds(
    TaskOptions,
    priority=st.sampled_from([0, 0, 5, -5]),
    retries=st.sampled_from([0, 0, 1, 3]),
    retry_delay_s=st.sampled_from([0.0, 0.0, 0.01, 0.3]),
    executor=st.sampled_from(["threads", "threads", "loop"]),
    workers=st.sampled_from([(), (), ("w0",), ("w1", "w0")]),
    allow_other_workers=st.booleans(),
    resources=st.sampled_from([{}, {}, {"GPU": 1.0}, {"GPU": 0.5}, {"license": 0.3}]),
)
SHAPES = {
    "chain": lambda count: [[row - 1] if row else [] for row in range(count)],
    "fan": lambda count: [[], *([0] for _ in range(count - 1))],
    "join": lambda count: [*([] for _ in range(count - 1)), list(range(count - 1))],
    "tree": lambda count: [
        [] if row < count // 2 + 1 else sorted({2 * row - count - 1, 2 * row - count - 2} - {-1})
        for row in range(count)
    ],
    "grid": lambda count: [
        [one for one in ([row - 1] if row % 3 else []) + [row - 3] if one >= 0]
        for row in range(count)
    ],
    "none": lambda count: [[] for _ in range(count)],
}
SWARMS = st.builds(
    Swarm,
    workers_count=st.integers(1, 4),
    threads_max=st.integers(1, 3),
    clients_count=st.integers(1, 3),
    fault_interval_s=st.just(1.0),
    user_interval_s=st.just(1.0),
    latency_s=st.sampled_from([0.0002, 0.01]),
    duration_s=st.sampled_from([0.0005, 0.05]),
    graph_tasks_max=st.just(9),
    silence_s=st.sampled_from([0.05, 0.5]),
    bandwidth_nbytes_per_s=st.sampled_from([1e6, 1e9]),
    held_inputs_part=st.just(0.0),
    faults=st.sets(st.sampled_from(AMBIENT)).map(
        lambda names: Faults(**dict.fromkeys(names, True))
    ),
)
seconds = st.sampled_from([0.001, 0.02, 0.2, 1.0])


class ClusterHistory(RuleBasedStateMachine):
    """A cluster, of which all hosts check themselves after each event."""

    @initialize(seed=st.integers(0, 2**32), swarm=SWARMS)
    def start(self, seed, swarm):
        self.timeline = Timeline()
        self.cluster = Cluster(Network(self.timeline, seed, Trace(self.timeline), swarm))
        self.cluster.start()
        self.keys_count = 0

    # Deeds of users ---------------------------------------------------------------------------

    def do(self, kind, *arguments, **named):
        self.cluster.do(kind(self.timeline.now_s, *arguments, **named))

    def user(self, data):
        """Draw a client that works, if there is one."""
        clients = [one for one in self.cluster.clients_alive() if not one.is_nested]
        return data.draw(st.sampled_from(clients)) if clients else None

    def new_key(self):
        self.keys_count += 1
        return f"t{self.keys_count}"

    @rule(
        data=st.data(),
        shape=st.sampled_from(sorted(SHAPES)),
        count=st.integers(1, 9),
        options=OPTIONS,
        wanted=st.sampled_from(["all", "last", "some"]),
        reads_held=st.booleans(),
    )
    def submit(self, data, shape, count, options, wanted, reads_held):
        user = self.user(data)
        if user is None:
            return
        held = self.held_by(user) if reads_held else []
        specs = []
        for positions in SHAPES[shape](count):
            inputs = [specs[one].key for one in positions]
            if held:
                inputs.append(data.draw(st.sampled_from(held)))
            specs.append(self.draw_spec(data, inputs, options.retries))
        keys = [spec.key for spec in specs]
        names = {"all": None, "last": (keys[-1],), "some": tuple(keys[::2])}[wanted]
        self.do(deeds.Submit, user.name, tuple(specs), names, options)

    def draw_spec(self, data, inputs, retries):
        key = self.new_key()
        behaviour = data.draw(st.sampled_from(BEHAVIOURS))
        children = ()
        if behaviour is Behaviour.NESTED:
            children = tuple(
                Spec(f"{key}.{number}", "add", number)
                for number in range(data.draw(st.integers(1, 2)))
            )
        return Spec(
            key,
            data.draw(st.sampled_from(sorted(FUNCTIONS))),
            data.draw(st.integers(0, 99)),
            tuple(dict.fromkeys(inputs)),
            behaviour,
            data.draw(st.sampled_from([8, 200, 5000, 50_000])),
            retries,
            children,
        )

    def held_by(self, client):
        return [
            key
            for key, state in client.futures.items()
            if state.status not in (CANCELLED, LOST) and key in self.cluster.programs.specs
        ]

    @rule(data=st.data(), how=st.sampled_from([deeds.Release, deeds.Cancel]), all_=st.booleans())
    def let_go(self, data, how, all_):
        user = self.user(data)
        if user is not None and user.futures:
            held = list(user.futures)
            keys = held if all_ else data.draw(st.lists(st.sampled_from(held), min_size=1))
            self.do(how, user.name, tuple(dict.fromkeys(keys)))

    @rule(data=st.data())
    def share(self, data):
        giver, taker = self.user(data), self.user(data)
        if giver is not None and giver is not taker and (held := self.held_by(giver)):
            self.do(deeds.Share, taker.name, data.draw(st.sampled_from(held)))

    @rule(data=st.data(), count=st.integers(1, 3), broadcast=st.booleans())
    def scatter(self, data, count, broadcast):
        user = self.user(data)
        if user is not None:
            specs = tuple(
                Spec(self.new_key(), "", number, (), Behaviour.SCATTERED, 2000 * number)
                for number in range(count)
            )
            self.do(deeds.Scatter, user.name, specs, broadcast)

    @rule(data=st.data(), how=st.sampled_from(["ask", "explain", "replicate", "rebalance"]))
    def ask(self, data, how):
        user = self.user(data)
        if user is None:
            return
        keys = tuple(self.held_by(user)[:5])
        if how == "ask":
            self.do(deeds.Ask, user.name)
        elif how == "explain":
            self.do(deeds.Explain, user.name, (*keys, "nothing"))
        elif how == "replicate":
            self.do(deeds.Replicate, user.name, keys, data.draw(st.integers(1, 4)))
        else:
            self.do(deeds.Rebalance, user.name, keys)

    # Time -------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 60))
    def go_on(self, count):
        for _ in range(count):
            self.timeline.step()

    @rule(duration_s=seconds)
    def wait(self, duration_s):
        until_s = self.timeline.now_s + duration_s
        while self.timeline.next_s is not None and self.timeline.next_s <= until_s:
            self.timeline.step()

    # Faults -----------------------------------------------------------------------------------

    def somebody(self, data):
        return data.draw(st.sampled_from([one.name for one in self.cluster.peers()] or ["w0"]))

    def some_worker(self, data):
        return f"w{data.draw(st.integers(0, self.cluster.network.swarm.workers_count - 1))}"

    @rule(
        data=st.data(),
        how=st.sampled_from([deeds.Cut, deeds.Stall, deeds.Hang]),
        duration_s=seconds,
    )
    def disturb(self, data, how, duration_s):
        self.do(how, self.somebody(data), duration_s)

    @rule(data=st.data())
    def lose_session(self, data):
        self.do(deeds.LoseSession, self.somebody(data))

    @rule(data=st.data(), how=st.sampled_from([deeds.CrashWorker, deeds.LeaveWorker]))
    def end_worker(self, data, how):
        self.do(how, self.some_worker(data))

    @rule(data=st.data(), patience_s=st.sampled_from([0.0, 0.5, 5.0]), by_client=st.booleans())
    def retire_worker(self, data, patience_s, by_client):
        name = self.some_worker(data)
        user = self.user(data) if by_client else None
        if user is not None:
            self.do(deeds.Retire, user.name, (name,))
        else:
            self.do(deeds.RetireWorker, name, patience_s)

    @rule(
        data=st.data(),
        life_s=st.sampled_from([0.1, 1.0, 20.0]),
        patience_s=st.sampled_from([0.0, 5.0]),
    )
    def limit_life(self, data, life_s, patience_s):
        self.do(deeds.LimitLife, self.some_worker(data), life_s, patience_s)

    @rule(data=st.data(), how=st.sampled_from([deeds.CrashClient, deeds.LeaveClient]))
    def end_client(self, data, how):
        user = self.user(data)
        if user is not None:
            self.do(how, user.name)

    @rule(data=st.data())
    def lose_value(self, data):
        held = [
            (worker.name, key)
            for worker in self.cluster.workers_alive()
            for key in worker.machine.tables.held
        ]
        if held:
            self.do(deeds.LoseValue, *data.draw(st.sampled_from(held)))

    @rule(data=st.data())
    def recall(self, data):
        tasks = self.cluster.scheduler.machine.tables.tasks
        keys = [task.key for task in tasks.values() if task.state == "assigned"]
        if keys:
            self.do(deeds.Recall, data.draw(st.sampled_from(keys)))

    @precondition(lambda self: self.keys_count > 5)
    @rule(certain=st.sampled_from([False, False, True]))
    def restart_scheduler(self, certain):
        if certain:
            self.do(deeds.RestartScheduler)

    # What must hold between machines ----------------------------------------------------------

    @invariant()
    def hosts_agree_with_themselves(self):
        """(Hosts do this after their events, but where tables are large not after each.)"""
        self.cluster.scheduler.check()
        for worker in self.cluster.workers_alive():
            worker._check()
        for client in self.cluster.clients_alive():
            check(client.machine)

    @invariant()
    def attempts_are_in_one_place(self):
        """The present attempt of a task is known to one worker, that which it was given to."""
        tables = self.cluster.scheduler.machine.tables
        places = Counter()
        for worker in self.cluster.workers_alive():
            ends = self.cluster.scheduler.ends
            record = tables.workers.get(worker.link.server.id) if not worker.link.is_over else None
            for task in worker.machine.tables.tasks.values():
                known = tables.tasks.get(task.key)
                if record is None or ends.get(record.id) is not worker.link.server:
                    continue
                if known is not None and known.attempt == task.attempt:
                    places[task.key] += 1
                    assert known.worker in (None, record), (known, worker.name)
        assert all(count == 1 for count in places.values()), places

    @invariant()
    def wanted_keys_are_in_memory_on_their_way_or_failed(self):
        """What is said to be stored is there, as far as workers know themselves."""
        scheduler = self.cluster.scheduler
        tables = scheduler.machine.tables
        for record in tables.clients.values():
            for task in record.wanted:
                assert task.state not in ("released", "forgotten"), task
        there = {
            worker.link.server.id: worker
            for worker in self.cluster.workers_alive()
            if scheduler.ends.get(worker.link.server.id) is worker.link.server
        }
        for task in tables.tasks.values():
            for record in task.holding_workers():
                place = (task.key, task.attempt, record.address)
                if record.id not in there or place in self.cluster.vanished or not task.attempt:
                    continue
                datum = there[record.id].machine.tables.held.get(task.key)
                assert datum is not None, (task, record)
                assert datum.attempt == task.attempt, (task, record)

    def teardown(self):
        if hasattr(self, "cluster"):
            _come_to_rest(self.cluster)
            self.check_books_at_rest()

    def check_books_at_rest(self):
        """What the scheduler keeps of workers and of tasks' misfortunes is true, or gone."""
        tables = self.cluster.scheduler.machine.tables
        for worker in self.cluster.workers_alive():
            record = tables.workers_by_address[worker.address]
            assert record.is_paused == worker.machine.paused, worker.name
            assert not any((record.assigned, record.begun, record.seceded, record.promised))
            assert record.promised_nbytes == 0
            assert bool(record.leaving) == worker.machine.leaving, worker.name
        kept = (tables.resting, tables.recalls, tables.deaths, tables.suspicions, tables.returns)
        assert not any(kept)
        assert not any(queue.live_count for queue in tables.queues.values())
        assert not tables.goals


TestClusterHistory = ClusterHistory.TestCase
TestClusterHistory.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
