"""What all clusters are to their users: they scale, adapt, wait, tell of their jobs, and end."""

from __future__ import annotations

import math
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Generator, Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.core.units import parse_seconds
from hocket.deploy.arguments import check_count
from hocket.deploy.cluster_text import cluster_html, cluster_line
from hocket.deploy.job_counts import jobs_count
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.adaptation import AdaptiveRules
from hocket.protocol.login import LOGIN_LIFE_S, open_link
from hocket.transport.clock import now
from hocket.transport.keyring import current_secret, replace_secret

__all__ = ["Cluster"]


class Cluster(ABC):
    """A scheduler, and groups of workers; see `LocalCluster`, `SLURMCluster`, `SSHCluster`.

    What runs workers is called a job, be it in a queue, on a host, or a process of this machine.

    Parameters
    ----------
    settings
        Of the cluster.
    groups
        By name, what the jobs of each group of workers are; the first is meant where none is named.
    secret
        Of the cluster.
    asynchronous
        Whether methods that wait return what is to be awaited; then ``async with`` or ``await``
        starts it.

    Attributes
    ----------
    address
        The scheduler's; empty before it is there.
    """

    #: How long a job must have had nothing to do before adaptive scaling lets it go.
    idle_timeout_s: ClassVar[float] = 300.0

    def __init__(
        self,
        settings: Settings,
        groups: Mapping[str, JobSpec],
        *,
        secret: str,
        asynchronous: bool,
    ) -> None:
        self.settings = settings
        self._secret = secret
        self.asynchronous = asynchronous
        self.address = ""
        self._dashboard = ""
        self._specs = dict(groups)
        self._closed = True

    # Life -----------------------------------------------------------------------------------

    @abstractmethod
    def _begin(self) -> Awaitable[Any]:
        """Start it, if that was not done."""

    @abstractmethod
    def close(self) -> Any:
        """End all jobs and the scheduler. May be called twice."""

    def __enter__(self) -> Self:
        if self.asynchronous:
            raise TypeError("this cluster is asynchronous: use `async with`")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        closing = self.close()
        if closing is not None:
            await closing

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    # What is wanted -------------------------------------------------------------------------

    def scale(
        self,
        n: int | None = None,
        *,
        jobs: int | None = None,
        cores: int | None = None,
        memory: int | str | None = None,
        group: str | None = None,
    ) -> Any:
        """Have so many workers of a group; in a queue they come when their jobs start.

        The unit is the job: of jobs with several workers there are as many as hold that many.

        Parameters
        ----------
        n
            Workers.
        jobs, cores, memory
            The same in jobs, in cores of all jobs, or in bytes of memory of all jobs; the most that
            any of them asks for counts.
        group
            Which; by default the first.

        Raises
        ------
        SettingsError
            There is no such group, or nothing is asked for.
        """
        name = self._group_name(group)
        return self._scale_to(name, jobs_count(self._specs[name], n, jobs, cores, memory))

    @abstractmethod
    def _scale_to(self, group: str, jobs_count: int) -> Any:
        """Have so many jobs of a group."""

    def adapt(
        self,
        minimum: int = 0,
        maximum: int | None = None,
        *,
        group: str | None = None,
        idle_timeout: float | str | None = None,
        target_duration: float | str = 5.0,
    ) -> Any:
        """Have as many workers of a group as there is work for; `scale` ends that.

        More jobs are asked for while tasks wait that those which are there cannot take on; a job
        goes when all of its workers have had nothing to do for a while, and what they hold is
        moved.

        Parameters
        ----------
        minimum, maximum
            Workers; of jobs with several, as many as hold the one and not more than the other.
        group
            Which; by default the first.
        idle_timeout
            How long a job must have had nothing to do; None: five minutes, on this machine one.
        target_duration
            Work of less than this for each of its threads is not worth another job.

        Raises
        ------
        SettingsError
            There is no such group, or a bound cannot be.
        """
        name = self._group_name(group)
        processes = self._specs[name].processes
        most = 10 * processes if maximum is None else check_count("maximum", maximum, least=1)
        idle_timeout_s = self.idle_timeout_s
        if idle_timeout is not None:
            idle_timeout_s = parse_seconds(idle_timeout, name="idle_timeout")
        rules = AdaptiveRules(
            minimum=math.ceil(check_count("minimum", minimum, least=0) / processes),
            maximum=max(1, most // processes),
            idle_timeout_s=idle_timeout_s,
            target_s=parse_seconds(target_duration, name="target_duration"),
        )
        if rules.minimum > rules.maximum:
            raise SettingsError(
                name="minimum",
                value=minimum,
                allowed=f"it must not be more than the maximum, {most}, in whole jobs",
                source="code",
            )
        return self._adapt_by(name, rules)

    @abstractmethod
    def _adapt_by(self, group: str, rules: AdaptiveRules) -> Any:
        """Have as many jobs of a group as there is work for."""

    def wait(
        self, n: int | None = None, *, group: str | None = None, timeout: float | None = None
    ) -> Any:
        """Wait until workers are there.

        Parameters
        ----------
        n
            How many; None: all that are wanted.
        group
            Of which group; None: of all.
        timeout
            Seconds to wait; None waits for ever.

        Raises
        ------
        GroupStopped
            Their jobs come to nothing; it says why.
        TimeoutError
            They are not there in time; it says what keeps them.
        """
        if n is not None:
            check_count("n", n, least=0)
        names = list(self._specs) if group is None else [self._group_name(group)]
        return self._wait_for(n, names, timeout)

    @abstractmethod
    def _wait_for(self, n: int | None, groups: list[str], timeout_s: float | None) -> Any:
        """Wait until so many workers of these groups are there."""

    # Who may come in ------------------------------------------------------------------------

    @property
    def secret(self) -> str:
        """The cluster's secret: who knows it may join."""
        return current_secret(self._secret)

    def replace_secret(self) -> Any:
        """Have another secret take the place of the cluster's.

        All that are connected are told, and go on; what comes from now on, new workers among it,
        gets the new one. Keys and invitations that were handed out before are good for
        ``security.rotation_grace_s`` yet, and then let nobody in.
        """
        return self._replace_secret()

    @abstractmethod
    def _replace_secret(self) -> Any:
        """Have the scheduler make another secret, and `_adopt` it."""

    def _adopt(self, secret: str) -> None:
        """Use another secret from now on, wherever the cluster's was used."""
        replace_secret(self._secret, secret, self.settings.security.rotation_grace_s)

    # What is there --------------------------------------------------------------------------

    @property
    def dashboard_link(self) -> str:
        """A link to the scheduler's pages; empty if hocket-diagnostics is not installed.

        Where other hosts can connect, it logs in whoever has it: once, within ten minutes.
        """
        expires_s = now() + LOGIN_LIFE_S
        return open_link(self._dashboard, self.secret, secrets.token_urlsafe(12), expires_s)

    @property
    @abstractmethod
    def workers(self) -> list[str]:
        """The names of the workers that are there."""

    @property
    @abstractmethod
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs that are there and those that ended lately: what is known of each."""

    @abstractmethod
    def job_script(self, group: str | None = None) -> str:
        """Return what jobs of a group are started with."""

    @abstractmethod
    def logs(self, job: str | None = None, *, lines: int = 100) -> Any:
        """Return the ends of the logs of jobs, by the jobs' names.

        Parameters
        ----------
        job
            The name or the id of one; None: of all.
        lines
            How many lines of each.
        """

    @property
    def status(self) -> str:
        """``"running"`` or ``"closed"``."""
        return "closed" if self._closed else "running"

    def _group_name(self, group: str | None) -> str:
        if group is None:
            return next(iter(self._specs))
        if group not in self._specs:
            raise SettingsError(
                name="group",
                value=group,
                allowed=f"it must be one of {', '.join(self._specs)}",
                source="code",
            )
        return group

    def __repr__(self) -> str:
        return cluster_line(self)

    def _repr_html_(self) -> str:
        return cluster_html(self)
