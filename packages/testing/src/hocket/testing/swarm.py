"""Which faults are on in a run, and how large everything is: drawn from the seed, like all else.

Each fault is on in half of the runs, so that a run is not always the same stew: some bugs need a
fault to be absent (Groce et al., "Swarm Testing", 2012).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from hocket.testing.chance import stream

__all__ = ["Faults", "Swarm", "draw_swarm"]


@dataclass(frozen=True, slots=True)
class Faults:
    """What may go wrong, or be unusual, in one run."""

    #: Latencies with a long tail.
    slow_links: bool = False
    #: Frames arrive in pieces.
    fragments: bool = False
    #: Links carry nothing for a while, then all of it.
    stalls: bool = False
    #: Connections are cut, and the session resumes on a new one.
    cuts: bool = False
    #: Sessions are over for good while both sides live.
    session_losses: bool = False
    #: Workers die, and come back.
    worker_crashes: bool = False
    #: Workers leave in good order.
    worker_leaves: bool = False
    #: A worker comes back on the address that it had.
    address_reuse: bool = False
    #: Clients die.
    client_crashes: bool = False
    #: Workers lose values, and do not know.
    vanishing_values: bool = False
    #: Requests for data fail although the worker lives.
    data_failures: bool = False
    #: Some tasks raise always, some sometimes.
    raising_tasks: bool = False
    #: Some tasks kill their worker.
    poison_tasks: bool = False
    #: Tasks are asked back.
    recalls: bool = False
    #: Some tasks need resources, or certain workers.
    constraints: bool = False
    #: Some values are too big to travel with the report.
    big_values: bool = False
    #: Some of those cannot be pickled.
    stuck_values: bool = False
    #: Clients put data on workers.
    scatters: bool = False
    #: Some tasks give up their slots.
    seceding_tasks: bool = False
    #: Some tasks submit tasks of their own, and wait for them.
    nested_tasks: bool = False
    #: Some tasks ask to be run elsewhere.
    rescheduled_tasks: bool = False
    #: Some tasks that failed rest before they are tried again.
    retry_delays: bool = False
    #: Some tasks run on another executor.
    executors: bool = False
    #: Hosts that are asked for much by many send them away.
    busy_peers: bool = False
    #: Clients have values copied, and moved.
    moves: bool = False
    #: Workers ask to be let go, or clients ask for that.
    worker_retirements: bool = False
    #: Processes stop for a while, perhaps for so long that they are given up.
    hangs: bool = False
    #: Workers that hold too much die.
    memory_shortage: bool = False
    #: The scheduler dies, and another comes that knows nothing.
    scheduler_restarts: bool = False
    #: Clients share locks, semaphores, queues and barriers.
    coordination: bool = False
    #: Clients make and call actors.
    actors: bool = False
    #: Somebody looks on, and comes and goes.
    observers: bool = False
    #: Some tasks may not run for ever, and some of these cannot be interrupted.
    time_limits: bool = False
    #: Some workers know when they end, and do.
    lifetimes: bool = False
    #: Workers put values into files where their memory is short.
    spilling: bool = False
    #: Such files take long, find no room, or are damaged.
    disk_faults: bool = False

    def names(self) -> list[str]:
        """Return the names of those that are on."""
        return [one.name for one in fields(self) if getattr(self, one.name)]


@dataclass(frozen=True, slots=True)
class Swarm:
    """The sizes of a run."""

    workers_count: int
    threads_max: int
    clients_count: int
    #: Mean time between two faults, and between two deeds of a user, in seconds.
    fault_interval_s: float
    user_interval_s: float
    #: Typical time for a message to arrive, and for a task to run, in seconds.
    latency_s: float
    duration_s: float
    #: Tasks of one submission, at most.
    graph_tasks_max: int
    #: After how many seconds without a word from its peer a host gives a session up.
    silence_s: float
    #: What the link of a host carries, in each direction.
    bandwidth_nbytes_per_s: float
    #: How many of the tasks read a value that their user holds already.
    held_inputs_part: float
    faults: Faults = Faults()


#: Switches that were added to those that there were, and how they are drawn says `draw_swarm`.
_LATER = ("actors", "observers", "time_limits", "lifetimes", "spilling", "disk_faults")


def draw_swarm(seed: int, workers_count: int | None = None) -> Swarm:
    """Draw the settings of the run of a seed."""
    random = stream(seed, "swarm")
    # (What came later is drawn elsewhere, so that histories stay what they were.)
    names = [one.name for one in fields(Faults) if one.name not in _LATER]
    later = stream(seed, "swarm", "later")
    faults = Faults(
        **{name: random.random() < 0.5 for name in names},
        **{name: later.random() < 0.5 for name in _LATER},
    )
    return Swarm(
        workers_count=workers_count or random.randint(1, 5),
        threads_max=random.randint(1, 3),
        clients_count=random.randint(1, 3),
        fault_interval_s=random.choice([0.02, 0.1, 0.5]),
        user_interval_s=random.choice([0.02, 0.1, 0.5]),
        latency_s=random.choice([0.0002, 0.001, 0.01]),
        duration_s=random.choice([0.0005, 0.01, 0.05]),
        graph_tasks_max=random.choice([3, 8, 16, 30]),
        silence_s=random.choice([0.05, 0.5]),
        bandwidth_nbytes_per_s=random.choice([1e6, 1e7, 1e9]),
        held_inputs_part=random.choice([0.1, 0.4]),
        faults=faults,
    )
