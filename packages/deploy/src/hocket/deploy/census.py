"""Which workers the scheduler has: asked over a session of a client's."""

from __future__ import annotations

from collections.abc import Iterable

from hocket.deploy.scheduler_session import SchedulerSession
from hocket.protocol.messages import (
    ClusterDescribed,
    DescribeCluster,
    RequestRefused,
    RetireWorkers,
    WorkersRetired,
)
from hocket.protocol.roles import Role

__all__ = ["Census"]


class Census(SchedulerSession):
    """A session with the scheduler, for its cluster's own questions."""

    role = Role.CLIENT
    name = "cluster"
    answers = (ClusterDescribed, WorkersRetired, RequestRefused)

    async def describe(self) -> ClusterDescribed:
        """Return which workers are there, and what waits for more."""
        described: ClusterDescribed = await self._ask(DescribeCluster)
        return described

    async def retire(self, names: Iterable[str]) -> str:
        """Have workers leave in good order; return why they stay, if so."""
        chosen = list(names)
        answer = await self._ask(lambda request: RetireWorkers(request, chosen))
        return answer.reason if isinstance(answer, RequestRefused) else ""
