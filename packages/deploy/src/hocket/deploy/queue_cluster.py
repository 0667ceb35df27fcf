"""Clusters whose jobs wait in the queue of a batch system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hocket.deploy.backends.backend import Backend
from hocket.deploy.job_cluster import JobCluster
from hocket.deploy.job_door import JobDoor
from hocket.deploy.job_script import JobFiles
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.queue_door import QueueDoor

__all__ = ["QueueCluster"]


class QueueCluster(JobCluster):
    """A cluster of jobs of a batch system.

    Parameters
    ----------
    backend
        The batch system.
    groups
        By name, what the jobs of each group of workers are.
    submit_prefix
        Before each command of the batch system, such as ``("ssh", "login")``.
    **options
        See `JobCluster`.
    """

    def __init__(
        self,
        backend: Backend,
        groups: Mapping[str, JobSpec],
        *,
        submit_prefix: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.backend = backend
        self._submit_prefix = tuple(submit_prefix)
        super().__init__(groups, **options)

    def _open_door(self, files: JobFiles, specs: Mapping[str, JobSpec]) -> JobDoor:
        return QueueDoor(self.backend, files, specs, prefix=self._submit_prefix)
