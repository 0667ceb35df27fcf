"""One run: a seed in, a report out.

First users and faults have their way for a number of steps; then both stop, the network heals,
and all that was begun must end. Then the futures are let go of, and nothing may be left; then the
clients leave, and even less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hocket.core.errors import HocketError, InvariantBroken
from hocket.scheduler.state import TaskState
from hocket.testing.chaos import Chaos
from hocket.testing.checkers import (
    check_agreement,
    check_everything_ended,
    check_nothing_is_left,
)
from hocket.testing.clock import Timeline
from hocket.testing.cluster import Cluster
from hocket.testing.network import Network
from hocket.testing.programs import Programs
from hocket.testing.swarm import Swarm, draw_swarm
from hocket.testing.trace import Trace
from hocket.testing.workload import Workload

__all__ = ["STEPS_DEFAULT", "Finding", "Report", "simulate"]

#: Steps for which users and faults have their way.
STEPS_DEFAULT = 500
#: Steps in which everything must have come to rest.
_STEPS_TO_REST_MAX = 20_000
_LINES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """What a run found wrong."""

    rule: str
    detail: str


@dataclass(slots=True)
class Report:
    """What came of a run.

    Attributes
    ----------
    finding
        What is wrong; None if nothing is.
    results
        What clients were told, by kind.
    """

    seed: int
    swarm: Swarm
    trace: list[str]
    finding: Finding | None = None
    steps_count: int = 0
    virtual_s: float = 0.0
    tasks_count: int = 0
    results: Counter[str] = field(default_factory=Counter)
    transitions: Counter[tuple[TaskState, TaskState]] = field(default_factory=Counter)

    def describe(self) -> str:
        """Return what there is to say of a failed run."""
        assert self.finding is not None
        return "\n".join(
            [
                *self.trace[-_LINES_SHOWN:],
                "",
                f"seed {self.seed} breaks the rule {self.finding.rule!r}:",
                f"  {self.finding.detail}",
                f"faults: {', '.join(self.swarm.faults.names()) or 'none'}",
                f"again: python -m hocket.testing --seed {self.seed}",
            ]
        )


def simulate(
    seed: int,
    *,
    steps: int = STEPS_DEFAULT,
    workers_count: int | None = None,
    swarm: Swarm | None = None,
    listener: Callable[[str], None] | None = None,
) -> Report:
    """Run a cluster in virtual time.

    Parameters
    ----------
    seed
        All that is drawn is drawn from it; one seed gives one history, to the byte.
    steps
        Events before faults and users stop.
    workers_count
        Number of workers; None: drawn.
    swarm
        Faults and sizes, where they are not to be drawn.
    listener
        Is given the lines of the trace as they come.

    Returns
    -------
    Report
        A rule that broke, or an error that a machine raised, is in its finding; nothing is raised.
    """
    random = Random(seed)  # noqa: S311 - repeatable is what it has to be
    drawn = draw_swarm(random, workers_count)
    swarm = swarm or drawn
    timeline = Timeline()
    trace = Trace(timeline, listener)
    report = Report(seed, swarm, trace.lines)
    trace.note("run", f"seed {seed}, {swarm.workers_count} workers")
    trace.note("run", f"faults: {', '.join(swarm.faults.names()) or 'none'}")
    network = Network(timeline, random, trace, swarm)
    workload = Workload(random, swarm, Programs())
    cluster: Cluster | None = None
    try:
        cluster = Cluster(network, workload)
        _run(cluster, steps)
    except HocketError as error:
        rule = error.rule if isinstance(error, InvariantBroken) else type(error).__name__
        report.finding = Finding(rule, getattr(error, "detail", str(error)))
    except Exception as error:  # noqa: BLE001 - whatever a machine raises is a finding
        report.finding = Finding("nothing raises", repr(error))
    report.steps_count = timeline.steps_count
    report.virtual_s = timeline.now_s
    report.tasks_count = len(workload.programs.specs)
    report.transitions = trace.transitions
    if cluster is not None:
        report.results = cluster.results.seen
    return report


def _run(cluster: Cluster, steps: int) -> None:
    note = cluster.network.trace.note
    chaos = Chaos(cluster)
    for _ in range(steps):
        cluster.timeline.step()
    note("run", "faults stop, users wait for what they have begun")
    chaos.stop()
    cluster.workload.is_over = True
    cluster.heal()
    _rest(cluster)
    _check_rest(cluster)
    note("run", "users let go of everything")
    for client in cluster.clients_alive():
        if client.futures:
            client.release(list(client.futures))
    _rest(cluster)
    _check_rest(cluster)
    _check_nothing_is_left(cluster, clients_are_there=True)
    note("run", "clients leave")
    for client in cluster.clients_alive():
        client.leave()
    _rest(cluster)
    _check_rest(cluster)
    _check_nothing_is_left(cluster, clients_are_there=False)
    note("run", "all is well")


def _rest(cluster: Cluster) -> None:
    """Let everything that was begun come to its end."""
    for _ in range(_STEPS_TO_REST_MAX):
        if not cluster.timeline.step():
            return
    raise InvariantBroken(
        rule="all gets quiet", detail=f"something still happens after {_STEPS_TO_REST_MAX} steps"
    )


def _check_rest(cluster: Cluster) -> None:
    workers, clients = cluster.workers_alive(), cluster.clients_alive()
    check_everything_ended(cluster.scheduler, workers, clients)
    check_agreement(cluster.scheduler, workers, clients, cluster.results)


def _check_nothing_is_left(cluster: Cluster, *, clients_are_there: bool) -> None:
    check_nothing_is_left(
        cluster.scheduler,
        cluster.workers_alive(),
        cluster.results,
        clients_are_there=clients_are_there,
    )
