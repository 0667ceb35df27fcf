"""One run: a seed or a script in, a report out.

First users and faults have their way for a while; then both stop, the network heals, and all that
was begun must end. Then the futures are let go of, and nothing may be left; then the clients leave,
and even less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hocket.core.errors import HocketError, InvariantBroken
from hocket.scheduler.state import TaskState
from hocket.testing.chaos import Chaos
from hocket.testing.checkers import (
    check_agreement,
    check_everything_ended,
    check_nothing_is_left,
)
from hocket.testing.client_host import ClientHost
from hocket.testing.clock import Timeline
from hocket.testing.cluster import Cluster
from hocket.testing.coordination import close_queues, values_of
from hocket.testing.deeds import Deed
from hocket.testing.network import Network
from hocket.testing.script import Script
from hocket.testing.swarm import Swarm, draw_swarm
from hocket.testing.trace import Trace
from hocket.testing.workload import Workload

__all__ = ["STEPS_DEFAULT", "Finding", "Report", "replay", "simulate"]

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
    deeds, until_s
        What users and faults did, and when they stopped.
    again
        How to have the same history again, in words.
    """

    seed: int
    swarm: Swarm
    trace: list[str]
    finding: Finding | None = None
    deeds: list[Deed] = field(default_factory=list)
    until_s: float = 0.0
    again: str = ""
    steps_count: int = 0
    virtual_s: float = 0.0
    tasks_count: int = 0
    results: Counter[str] = field(default_factory=Counter)
    transitions: Counter[tuple[TaskState, TaskState]] = field(default_factory=Counter)

    @property
    def script(self) -> Script:
        """What the history can be replayed from."""
        return Script(self.seed, self.swarm, self.until_s, tuple(self.deeds))

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
                f"again: {self.again or 'as it was done'}",
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
    run = _Run(seed, swarm or draw_swarm(seed, workers_count), listener)
    run.report.again = f"python -m hocket.testing --seed {seed}"
    workload = Workload(run.network)

    def have_their_way(cluster: Cluster) -> None:
        workload.cluster = cluster
        timeline = cluster.timeline
        Chaos(cluster)
        for _ in range(steps):
            timeline.step()
        # To the end of this moment, so that its time alone says where the history is.
        while timeline.next_s == timeline.now_s:
            timeline.step()
        timeline.drop_passing()

    return run.go(workload.add_user, have_their_way)


def replay(
    seed: int,
    swarm: Swarm,
    until_s: float,
    deeds: Sequence[Deed],
    *,
    listener: Callable[[str], None] | None = None,
) -> Report:
    """Run a cluster in virtual time, and do to it what was done before, or some of it.

    Parameters
    ----------
    seed, swarm, until_s, deeds
        See :class:`hocket.testing.script.Script`.
    listener
        Is given the lines of the trace as they come.

    Returns
    -------
    Report
        As :func:`simulate` does; all deeds of a history give the same history again.
    """
    run = _Run(seed, swarm, listener)

    def do_again(cluster: Cluster) -> None:
        timeline = cluster.timeline
        for deed in deeds:
            timeline.at(deed.at_s, lambda deed=deed: cluster.do(deed))  # type: ignore[misc]
        # Nothing may be left to happen before then.
        timeline.at(until_s, lambda: None)
        while timeline.next_s is not None and timeline.next_s <= until_s:
            timeline.step()

    return run.go(None, do_again)


class _Run:
    """One run, from a cluster that is set up to a report."""

    def __init__(self, seed: int, swarm: Swarm, listener: Callable[[str], None] | None) -> None:
        self._timeline = Timeline()
        self._trace = trace = Trace(self._timeline, listener)
        self.network = Network(self._timeline, seed, trace, swarm)
        self.report = Report(seed, swarm, trace.lines)
        trace.note("run", f"seed {seed}, {swarm.workers_count} workers")
        trace.note("run", f"faults: {', '.join(swarm.faults.names()) or 'none'}")

    def go(
        self,
        on_client: Callable[[ClientHost], None] | None,
        have_their_way: Callable[[Cluster], None],
    ) -> Report:
        report, timeline = self.report, self._timeline
        cluster = Cluster(self.network, on_client)
        try:
            cluster.start()
            have_their_way(cluster)
            report.until_s = timeline.now_s
            _come_to_rest(cluster)
        except HocketError as error:
            rule = error.rule if isinstance(error, InvariantBroken) else type(error).__name__
            report.finding = Finding(rule, getattr(error, "detail", str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a machine raises is a finding
            report.finding = Finding("nothing raises", repr(error))
        if not cluster.is_over:
            report.until_s = timeline.now_s
        report.deeds = cluster.deeds
        report.steps_count = timeline.steps_count
        report.virtual_s = timeline.now_s
        report.tasks_count = len(cluster.programs.specs)
        report.transitions = self._trace.transitions
        report.results = cluster.results.seen
        return report


def _come_to_rest(cluster: Cluster) -> None:
    note = cluster.network.trace.note
    note("run", "faults stop, users wait for what they have begun")
    cluster.heal()
    _rest(cluster)
    _free_resources(cluster)
    _check_rest(cluster)
    note("run", "users let go of everything")
    close_queues(cluster.scheduler.machine.coordination)
    cluster.accounts.forget()
    cluster.scheduler.want_turn()
    for client in cluster.clients_alive():
        if client.futures:
            client.release(list(client.futures))
        for key in list(client.actors.held):
            client.actors.let_go(key)
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


def _free_resources(cluster: Cluster) -> None:
    """Let users let go of actors that keep what others wait for, which may be actors in turn."""
    keeping = sorted({key for client in cluster.clients for key in client.actors.keeping})
    clients = cluster.clients_alive()
    while [True for client in clients for key in keeping if client.actors.let_go(key)]:
        _rest(cluster)


def _rest(cluster: Cluster) -> None:
    """Let everything that was begun come to its end."""
    for _ in range(_STEPS_TO_REST_MAX):
        if not cluster.timeline.step():
            return
    raise InvariantBroken(
        rule="all gets quiet", detail=f"something still happens after {_STEPS_TO_REST_MAX} steps"
    )


def _check_rest(cluster: Cluster) -> None:
    cluster.scheduler.check()
    workers, clients = cluster.workers_alive(), cluster.clients_alive()
    check_everything_ended(cluster.scheduler, workers, clients)
    check_agreement(cluster.scheduler, workers, clients, cluster.results)
    living = [actor.key for worker in workers for actor in worker.machine.tables.actors]
    cluster.ledger.check([client.actors for client in clients], living)
    _check_accounts(cluster)
    if cluster.observer is not None:
        cluster.observer.check(cluster.scheduler)


def _check_accounts(cluster: Cluster) -> None:
    coordination = cluster.scheduler.machine.coordination
    register = coordination.register
    if register.grants or register.wishes.by_client:
        detail = repr([*register.grants.values(), *register.wishes.by_client])
        raise InvariantBroken(rule="nothing is held or waited for at the end", detail=detail)
    parties = {client.link.server.id: client for client in cluster.clients_alive()}
    cluster.accounts.check(values_of(coordination), {}, parties)


def _check_nothing_is_left(cluster: Cluster, *, clients_are_there: bool) -> None:
    check_nothing_is_left(
        cluster.scheduler,
        cluster.workers_alive(),
        cluster.results,
        clients_are_there=clients_are_there,
    )
