"""Workers in jobs of SLURM."""

from __future__ import annotations

from typing import Any

from hocket.deploy.backends.slurm import SlurmBackend
from hocket.deploy.cluster_options import split_options
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.queue_cluster import QueueCluster

__all__ = ["SLURMCluster"]


class SLURMCluster(QueueCluster):
    """A scheduler here, and workers in jobs of SLURM.

    Parameters
    ----------
    jobs
        To begin with.
    **options
        What each job is: ``cores``, ``processes``, ``memory``, ``walltime``, ``gpus``, ``queue``
        (the partition), ``account``, ``python``, ``prologue``, ``directives`` and more, see
        `JobSpec`; and what the cluster is: ``directory``, ``settings``,
        ``submit_prefix``, ``asynchronous``, see `JobCluster`.

    Raises
    ------
    SettingsError
        Something of this cannot be; nothing was started.

    Examples
    --------
    >>> with SLURMCluster(cores=4, memory="8 GiB", walltime="1:00:00") as cluster:  # doctest: +SKIP
    ...     cluster.scale(8)
    ...     cluster.wait()
    """

    def __init__(self, jobs: int = 0, **options: Any) -> None:
        job, own = split_options(options)
        spec = JobSpec(**job)
        super().__init__(SlurmBackend(), {spec.group: spec}, jobs=jobs, **own)
