"""Users: they submit, gather, release, cancel, scatter and share, at random, and stop when told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hocket.client.batches import TaskOptions
from hocket.client.machine import CANCELLED, LOST, PENDING, STORED
from hocket.testing.client_host import ClientHost
from hocket.testing.graphs import draw_shape
from hocket.testing.programs import FUNCTIONS, Behaviour, Programs, Spec
from hocket.testing.swarm import Swarm

__all__ = ["User", "Workload"]

_BIG_NBYTES = 50_000
#: Who holds more futures lets go of some before it submits more: histories stay quick to check.
_FUTURES_MAX = 40


class Workload:
    """What all users of a run share.

    Attributes
    ----------
    programs
        Every task that was submitted, and the reference.
    is_over
        Whether users do nothing new any more.
    """

    def __init__(self, random: Random, swarm: Swarm, programs: Programs) -> None:
        self.random = random
        self.swarm = swarm
        self.programs = programs
        self.is_over = False
        self.users: list[User] = []
        #: Keys that were handed from one client to another: they may be unknown when they arrive.
        self.shared: set[str] = set()
        self._keys_count = 0

    def draw_specs(self, held: Sequence[str]) -> list[Spec]:
        """Draw a graph, some of whose tasks read values that the submitter holds."""
        random, faults = self.random, self.swarm.faults
        retries = random.choice([0, 0, 1, 3])
        plain = random.choice([0.9, 0.97])
        specs: list[Spec] = []
        for positions in draw_shape(random, self.swarm.graph_tasks_max):
            inputs = [specs[one].key for one in positions]
            if held and random.random() < self.swarm.held_inputs_part:
                inputs.append(random.choice(held))
            behaviour = Behaviour.PLAIN
            if faults.raising_tasks and random.random() > plain:
                behaviour = random.choice([Behaviour.RAISES, Behaviour.FLAKY, Behaviour.FLAKY])
            elif faults.poison_tasks and random.random() < 0.01:
                behaviour = Behaviour.POISON
            nbytes = self.draw_nbytes()
            if faults.stuck_values and nbytes > 1000 and random.random() < 0.3:
                behaviour = Behaviour.STUCK
            spec = Spec(
                self.new_key("t"),
                random.choice(list(FUNCTIONS)),
                random.randrange(1000),
                tuple(dict.fromkeys(inputs)),
                behaviour,
                nbytes,
                retries,
            )
            self.programs.add(spec)
            specs.append(spec)
        return specs

    def draw_data(self) -> list[Spec]:
        """Draw values to be scattered."""
        specs = [
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
        for spec in specs:
            self.programs.add(spec)
        return specs

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
        self._batches: list[list[Spec]] = []
        workload.users.append(self)
        self._next()

    def _next(self) -> None:
        workload = self._workload
        delay_s = workload.random.expovariate(1.0 / workload.swarm.user_interval_s)
        self.client.after(delay_s, self._act)

    def _act(self) -> None:
        if self._workload.is_over:
            return
        random = self._workload.random
        deeds = [
            self._submit,
            self._submit,
            self._submit,
            self._release,
            self._release,
            self._cancel,
            self._share,
            self._submit_again,
            self._scatter,
            self._ask,
        ]
        random.choice(deeds)()
        self._next()

    def _held(self) -> list[str]:
        return [
            key
            for key, state in self.client.futures.items()
            if state.status not in (CANCELLED, LOST)
        ]

    def _submit(self) -> None:
        if len(self.client.futures) > _FUTURES_MAX:
            self._release()
            return
        workload, random = self._workload, self._workload.random
        specs = workload.draw_specs(self._held())
        count = len(specs)
        wanted: list[int] | None = None
        how = random.random()
        if how < 0.4:
            wanted = [count - 1]
        elif how < 0.6:
            wanted = sorted(random.sample(range(count), random.randint(1, count)))
        if random.random() < 0.3:
            self._submit_in_parts(specs)
        else:
            self.client.submit(specs, wanted, self._draw_options(specs))
        self._batches.append(specs)

    def _submit_in_parts(self, specs: list[Spec]) -> None:
        """Submit a graph piece by piece, each with options of its own, and keep its last future."""
        random = self._workload.random
        size = random.randint(1, len(specs))
        for start in range(0, len(specs), size):
            part = specs[start : start + size]
            self.client.submit(part, None, self._draw_options(part))
        if random.random() < 0.5 and len(specs) > 1:
            self.client.release([spec.key for spec in specs[:-1]])

    def _draw_options(self, specs: list[Spec]) -> TaskOptions:
        swarm, random = self._workload.swarm, self._workload.random
        options = TaskOptions(priority=random.choice([0, 0, 0, 5, -5]), retries=specs[0].retries)
        if not swarm.faults.constraints or random.random() < 0.4:
            return options
        if random.random() < 0.7:
            return replace(options, workers=(f"w{random.randrange(swarm.workers_count)}",))
        return replace(options, resources={"GPU": random.choice([1.0, 0.5, 2.0])})

    def _submit_again(self) -> None:
        """Somebody submits the same tasks, perhaps at another client."""
        random = self._workload.random
        if not self._batches:
            return
        specs = random.choice(self._batches)
        client = random.choice([user.client for user in self._workload.users])
        external = {key for spec in specs for key in spec.inputs} - {spec.key for spec in specs}
        if not client.alive:
            return
        for key in external:
            state = client.futures.get(key)
            if state is None or state.status not in (PENDING, STORED):
                return
        if random.random() < 0.5:
            client.submit(specs, None, TaskOptions(), keys_are_chosen=True)
        elif specs[-1].key not in client.futures:
            client.submit(specs, [len(specs) - 1], TaskOptions())

    def _release(self) -> None:
        held = list(self.client.futures)
        if held:
            random = self._workload.random
            count = random.choice([1, random.randint(1, len(held))])
            self.client.release(random.sample(held, count))

    def _cancel(self) -> None:
        held = self._held()
        if held:
            keys = self._workload.random.sample(held, min(len(held), 2))
            self.client.cancel(keys)

    def _share(self) -> None:
        """Another client takes a future of ours."""
        held = self._held()
        random = self._workload.random
        others = [user.client for user in self._workload.users if user is not self]
        if held and others:
            other = random.choice(others)
            key = random.choice(held)
            if other.alive and key not in other.futures:
                self._workload.shared.add(key)
                other.want(key)

    def _scatter(self) -> None:
        if self._workload.swarm.faults.scatters:
            self.client.scatter(
                self._workload.draw_data(), broadcast=self._workload.random.random() < 0.3
            )

    def _ask(self) -> None:
        self.client.ask_around()
