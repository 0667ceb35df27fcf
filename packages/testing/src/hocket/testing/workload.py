"""Users: they submit, gather, release, cancel, scatter and share, at random, and stop when told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hocket.client.batches import TaskOptions
from hocket.client.machine import CANCELLED, LOST, PENDING, STORED
from hocket.testing.actor_deeds import (
    CallActor,
    CancelCall,
    LetActorGo,
    LoseLines,
    MakeActor,
    ShareActor,
)
from hocket.testing.client_host import ClientHost
from hocket.testing.cluster import Cluster
from hocket.testing.coordination import CAPACITIES
from hocket.testing.coordination_deeds import (
    Acquire,
    GiveUp,
    Lease,
    LetGo,
    Meet,
    PutValue,
    TakeValues,
)
from hocket.testing.deeds import (
    Ask,
    Cancel,
    Deed,
    Explain,
    Rebalance,
    Release,
    Replicate,
    Retire,
    Scatter,
    Share,
    Submit,
)
from hocket.testing.graphs import draw_shape
from hocket.testing.network import Network
from hocket.testing.programs import FUNCTIONS, Behaviour, Spec

__all__ = ["User", "Workload"]

_BIG_NBYTES = 50_000
#: Who holds more futures lets go of some before it submits more: histories stay quick to check.
_FUTURES_MAX = 40


class Workload:
    """What all users of a run share.

    Parameters
    ----------
    network
        Chance, sizes and faults of the run.
    """

    def __init__(self, network: Network) -> None:
        self.random = network.stream("users")
        self.swarm = network.swarm
        #: Set before the first user does something.
        self.cluster: Cluster | None = None
        self.users: list[User] = []
        self._keys_count = 0

    def add_user(self, client: ClientHost) -> None:
        """Let somebody work with a client."""
        if self.cluster is None or not self.cluster.is_over:
            self.users.append(User(self, client))

    def draw_specs(self, held: Sequence[str]) -> list[Spec]:
        """Draw a graph, some of whose tasks read values that the submitter holds."""
        random = self.random
        retries = random.choice([0, 0, 1, 3])
        plain = random.choice([0.9, 0.97])
        specs: list[Spec] = []
        for positions in draw_shape(random, self.swarm.graph_tasks_max):
            inputs = [specs[one].key for one in positions]
            if held and random.random() < self.swarm.held_inputs_part:
                inputs.append(random.choice(held))
            key = self.new_key("t")
            nbytes = self.draw_nbytes()
            behaviour = self.draw_behaviour(plain, nbytes)
            spec = Spec(
                key,
                random.choice(list(FUNCTIONS)),
                random.randrange(1000),
                tuple(dict.fromkeys(inputs)),
                behaviour,
                nbytes,
                retries,
                self.draw_children(key) if behaviour is Behaviour.NESTED else (),
            )
            specs.append(spec)
        return specs

    def draw_behaviour(self, plain: float, nbytes: int) -> Behaviour:
        """Draw what a task does, if all is switched on that it may do."""
        random, faults = self.random, self.swarm.faults
        ways: list[tuple[bool, float, Behaviour]] = [
            (faults.raising_tasks, (1 - plain) / 3, Behaviour.RAISES),
            (faults.raising_tasks, 2 * (1 - plain) / 3, Behaviour.FLAKY),
            (faults.poison_tasks, 0.01, Behaviour.POISON),
            (faults.stuck_values and nbytes > 1000, 0.3, Behaviour.STUCK),
            (faults.rescheduled_tasks, 0.05, Behaviour.RESCHEDULES),
            (faults.seceding_tasks, 0.1, Behaviour.SECEDES),
            (faults.nested_tasks, 0.1, Behaviour.NESTED),
        ]
        for is_on, part, behaviour in ways:
            if is_on and random.random() < part:
                return behaviour
        return Behaviour.PLAIN

    def draw_children(self, parent: str, depth: int = 0) -> tuple[Spec, ...]:
        """Draw what a task submits itself; some of that may do the same."""
        random = self.random
        children: list[Spec] = []
        for number in range(random.randint(1, 3)):
            key = f"{parent}.{number}"
            behaviour = Behaviour.PLAIN
            if random.random() < 0.1:
                behaviour = random.choice([Behaviour.FLAKY, Behaviour.SECEDES])
            elif depth < 1 and random.random() < 0.3:
                behaviour = Behaviour.NESTED
            inputs = (random.choice(children).key,) if children and random.random() < 0.3 else ()
            grandchildren: tuple[Spec, ...] = ()
            if behaviour is Behaviour.NESTED:
                grandchildren = self.draw_children(key, depth + 1)
            children.append(
                Spec(
                    key,
                    random.choice(list(FUNCTIONS)),
                    random.randrange(1000),
                    inputs,
                    behaviour,
                    self.draw_nbytes(),
                    0,
                    grandchildren,
                )
            )
        return tuple(children)

    def draw_data(self) -> list[Spec]:
        """Draw values to be scattered."""
        return [
            Spec(
                self.new_key("d"),
                "",
                self.random.randrange(1000),
                (),
                Behaviour.SCATTERED,
                self.draw_nbytes(),
            )
            for _ in range(self.random.randint(1, 4))
        ]

    def draw_nbytes(self) -> int:
        """Draw the size of a value."""
        is_big = self.swarm.faults.big_values and self.random.random() < 0.3
        return _BIG_NBYTES if is_big else self.random.randint(0, 200)

    def new_key(self, prefix: str) -> str:
        """Return a key that is new in the run."""
        self._keys_count += 1
        return f"{prefix}{self._keys_count}"


class User:
    """Somebody at a client.

    Parameters
    ----------
    workload
        See there.
    client
        What the user works with; when it dies the user is gone too.
    """

    def __init__(self, workload: Workload, client: ClientHost) -> None:
        self._workload = workload
        self.client = client
        self._random = workload.random
        self._batches: list[tuple[Spec, ...]] = []
        self._next()

    def _next(self) -> None:
        delay_s = self._random.expovariate(1.0 / self._workload.swarm.user_interval_s)
        client = self.client
        client.network.timeline.after_if_still(delay_s, lambda: client.when_awake(self._act))

    def _act(self) -> None:
        cluster = self._workload.cluster
        assert cluster is not None
        if cluster.is_over:
            return
        ways = [
            self._submit,
            self._submit,
            self._submit,
            self._release,
            self._release,
            self._cancel,
            self._cancel,
            self._share,
            self._submit_again,
            self._change_mind,
            self._scatter,
            self._ask,
            self._explain,
            self._move_values,
            self._coordinate,
            self._coordinate,
            self._coordinate,
        ]
        if self._workload.swarm.faults.actors:
            ways += [self._use_actors] * 6
        for deed in self._random.choice(ways)():
            cluster.do(deed)
        self._next()

    @property
    def _now_s(self) -> float:
        return self.client.network.timeline.now_s

    def _held(self) -> list[str]:
        return [
            key
            for key, state in self.client.futures.items()
            if state.status not in (CANCELLED, LOST)
        ]

    def _submit(self) -> Iterator[Deed]:
        if len(self.client.futures) > _FUTURES_MAX:
            yield from self._release()
            return
        workload, random, name = self._workload, self._random, self.client.name
        specs = tuple(workload.draw_specs(self._held()))
        count = len(specs)
        wanted: tuple[str, ...] | None = None
        how = random.random()
        if how < 0.4:
            wanted = (specs[-1].key,)
        elif how < 0.6:
            chosen = sorted(random.sample(range(count), random.randint(1, count)))
            wanted = tuple(specs[row].key for row in chosen)
        if random.random() < 0.3:
            yield from self._submit_in_parts(specs)
        else:
            yield Submit(self._now_s, name, specs, wanted, self._draw_options(specs))
        self._batches.append(specs)

    def _submit_in_parts(self, specs: tuple[Spec, ...]) -> Iterator[Deed]:
        """Submit a graph piece by piece, each with options of its own, and keep its last future."""
        random, name = self._random, self.client.name
        size = random.randint(1, len(specs))
        for start in range(0, len(specs), size):
            part = specs[start : start + size]
            yield Submit(self._now_s, name, part, None, self._draw_options(part))
        if random.random() < 0.5 and len(specs) > 1:
            yield Release(self._now_s, name, tuple(spec.key for spec in specs[:-1]))

    def _draw_options(self, specs: Sequence[Spec]) -> TaskOptions:
        swarm, random = self._workload.swarm, self._random
        retries = specs[0].retries if specs else 0
        options = TaskOptions(priority=random.choice([0, 0, 0, 5, -5]), retries=retries)
        if swarm.faults.retry_delays and random.random() < 0.5:
            options = replace(options, retry_delay_s=random.choice([0.0, 0.01, 0.3]))
        if swarm.faults.time_limits and random.random() < 0.3:
            limit_s = swarm.duration_s * random.choice([0.1, 1.0, 5.0])
            options = replace(options, timeout_s=limit_s)
        if swarm.faults.executors and random.random() < 0.3:
            options = replace(options, executor="loop")
        if not swarm.faults.constraints or random.random() < 0.4:
            return options
        if random.random() < 0.7:
            return replace(options, workers=(f"w{random.randrange(swarm.workers_count)}",))
        amounts = random.choice([{"GPU": 1.0}, {"GPU": 0.5}, {"GPU": 1.5}, {"GPU": 2.0}])
        if random.random() < 0.3:
            amounts = {**amounts, "license": random.choice([0.1, 0.3])}
        return replace(options, resources=amounts)

    def _use_actors(self) -> Iterator[Deed]:
        held, random, name = list(self.client.actors.held), self._random, self.client.name
        if not held or random.random() < 0.1:
            key = self._workload.new_key("a")
            options = self._draw_options([])
            yield MakeActor(self._now_s, name, key, random.choice([0, 1, 3, 3]), options)
            return
        key = random.choice(held)
        how = random.random()
        if how < 0.1:
            yield LetActorGo(self._now_s, name, key)
        elif how < 0.2:
            other = random.choice([user.client.name for user in self._workload.users])
            yield ShareActor(self._now_s, other, key)
        elif how < 0.23:
            yield LoseLines(self._now_s, name)
        elif how < 0.3:
            # (The latest are those that may not have begun.)
            yield CancelCall(self._now_s, name, key, -random.randint(1, 4))
        else:
            method = "kill" if random.random() < 0.05 else "note"
            yield CallActor(self._now_s, name, key, random.randint(1, 8), method)

    def _submit_again(self) -> Iterator[Deed]:
        """Somebody submits the same tasks, perhaps at another client."""
        random = self._random
        if not self._batches:
            return
        specs = random.choice(self._batches)
        client = random.choice([user.client for user in self._workload.users])
        external = {key for spec in specs for key in spec.inputs} - {spec.key for spec in specs}
        if not client.alive or client.is_hung:
            return
        for key in external:
            state = client.futures.get(key)
            if state is None or state.status not in (PENDING, STORED):
                return
        if random.random() < 0.5:
            yield Submit(self._now_s, client.name, specs, keys_are_chosen=True)
        elif specs[-1].key not in client.futures:
            yield Submit(self._now_s, client.name, specs, (specs[-1].key,))

    def _change_mind(self) -> Iterator[Deed]:
        """They let go of what they submitted lately, and submit the same at once."""
        if not self._batches:
            return
        specs = self._batches[-1]
        held = tuple(spec.key for spec in specs if spec.key in self.client.futures)
        if not held:
            return
        if self._random.random() < 0.5:
            yield Release(self._now_s, self.client.name, held)
            yield Submit(self._now_s, self.client.name, specs)
        else:
            yield Cancel(self._now_s, self.client.name, held, interrupt=True)
            yield Submit(self._now_s, self.client.name, specs, keys_are_chosen=True)

    def _release(self) -> Iterator[Deed]:
        held = list(self.client.futures)
        if held:
            count = self._random.choice([1, self._random.randint(1, len(held))])
            keys = tuple(self._random.sample(held, count))
            yield Release(self._now_s, self.client.name, keys)

    def _cancel(self) -> Iterator[Deed]:
        held = self._held()
        if self._random.random() < 0.8:
            # Rather what runs, perhaps.
            futures = self.client.futures
            held = [key for key in held if futures[key].status is PENDING] or held
        if held:
            keys = tuple(self._random.sample(held, min(len(held), self._random.choice([2, 4]))))
            interrupt = self._random.random() < 0.7
            force = self._random.random() < 0.2
            yield Cancel(self._now_s, self.client.name, keys, interrupt, force)

    def _share(self) -> Iterator[Deed]:
        """Another client takes a future of ours."""
        held = self._held()
        random = self._random
        others = [user.client for user in self._workload.users if user is not self]
        if held and others:
            other = random.choice(others)
            key = random.choice(held)
            if other.alive and not other.is_hung and key not in other.futures:
                yield Share(self._now_s, other.name, key)

    def _scatter(self) -> Iterator[Deed]:
        if self._workload.swarm.faults.scatters:
            data = tuple(self._workload.draw_data())
            yield Scatter(self._now_s, self.client.name, data, self._random.random() < 0.3)

    def _ask(self) -> Iterator[Deed]:
        yield Ask(self._now_s, self.client.name)

    def _explain(self) -> Iterator[Deed]:
        """Somebody asks why tasks are where they are, perhaps of others' and of unknown ones."""
        random = self._random
        keys = [key for user in self._workload.users for key in user.client.futures]
        some = random.sample(keys, min(len(keys), 5))
        yield Explain(self._now_s, self.client.name, (*some, "nothing"))

    def _move_values(self) -> Iterator[Deed]:
        """Somebody minds where values lie, or which workers there are."""
        workload, random, name = self._workload, self._random, self.client.name
        held = self._held()
        keys = tuple(random.sample(held, min(len(held), 4)))
        workers = [f"w{number}" for number in range(workload.swarm.workers_count)]
        some = tuple(random.sample(workers, random.randint(1, len(workers))))
        how = random.random()
        if workload.swarm.faults.moves and how < 0.5:
            count = random.randint(1, len(workers))
            yield Replicate(self._now_s, name, keys, count, random.choice([(), some]))
        elif workload.swarm.faults.moves:
            yield Rebalance(self._now_s, name, random.choice([(), keys]))
        if workload.swarm.faults.worker_retirements and how < 0.3:
            yield Retire(self._now_s, name, some[:2])

    def _coordinate(self) -> Iterator[Deed]:
        """Somebody does a few things with locks and queues."""
        workload = self._workload
        if not workload.swarm.faults.coordination or workload.cluster is None:
            return
        random, now_s, name = self._random, self._now_s, self.client.name
        for _ in range(random.randint(1, 4)):
            names = tuple(random.sample(["a", "b", "c"], random.randint(1, 3)))
            queue = random.choice(list(CAPACITIES))
            running = [
                task.key
                for task in workload.cluster.scheduler.machine.tables.tasks.values()
                if task.worker is not None
            ]
            held = self._held()
            least = random.choice([0, 1, 1, 1])
            ways: list[Deed] = [
                Acquire(now_s, name, names[:1], 1),
                Acquire(now_s, name, names, random.randint(1, len(names))),
                Acquire(now_s, name, names[:1], 1, random.choice([*running, ""])),
                Lease(now_s, name, "s", random.randint(1, 2)),
                LetGo(now_s, name),
                LetGo(now_s, name),
                LetGo(now_s, name),
                PutValue(now_s, name, queue),
                PutValue(now_s, name, queue, tuple(random.sample(held, min(len(held), 2)))),
                TakeValues(now_s, name, queue, least, random.randint(max(least, 1), 3)),
                TakeValues(now_s, name, queue),
                Meet(now_s, name, "m"),
                GiveUp(now_s, name, random.random() < 0.3),
                GiveUp(now_s, name),
            ]
            yield random.choice(ways)
