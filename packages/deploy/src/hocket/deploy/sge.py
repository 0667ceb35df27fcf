"""Workers in jobs of Grid Engine."""

from __future__ import annotations

import getpass
from typing import Any

from hocket.deploy.backends.sge import SgeBackend
from hocket.deploy.cluster_options import split_options
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.queue_cluster import QueueCluster

__all__ = ["SGECluster"]


class SGECluster(QueueCluster):
    """A scheduler here, and workers in jobs of Grid Engine.

    Parameters
    ----------
    jobs
        To begin with.
    parallel_environment
        What the site calls the one whose slots are on one host; for jobs of several cores.
    memory_resource
        What the site calls memory, and counts for each slot, such as ``"h_vmem"`` or
        ``"mem_free"``. None: ``memory`` limits the workers, but jobs do not ask for it.
    gpu_resource
        What the site calls devices.
    **options
        What each job is (``account`` is the project), and what the cluster is: as for
        `SLURMCluster`.

    Raises
    ------
    SettingsError
        Something of this cannot be; nothing was started.
    """

    def __init__(
        self,
        jobs: int = 0,
        *,
        parallel_environment: str = "smp",
        memory_resource: str | None = None,
        gpu_resource: str = "gpu",
        **options: Any,
    ) -> None:
        job, own = split_options(options)
        backend = SgeBackend(
            getpass.getuser(),
            parallel_environment=parallel_environment,
            memory_resource=memory_resource,
            gpu_resource=gpu_resource,
        )
        spec = JobSpec(**job)
        super().__init__(backend, {spec.group: spec}, jobs=jobs, **own)
