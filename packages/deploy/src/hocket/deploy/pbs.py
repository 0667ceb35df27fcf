"""Workers in jobs of PBS: PBS Professional, OpenPBS or TORQUE."""

from __future__ import annotations

from typing import Any

from hocket.deploy.backends.pbs import PbsBackend, PbsDialect
from hocket.deploy.cluster_options import split_options
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.queue_cluster import QueueCluster

__all__ = ["PBSCluster"]


class PBSCluster(QueueCluster):
    """A scheduler here, and workers in jobs of PBS.

    Parameters
    ----------
    dialect
        ``"pbspro"``, ``"openpbs"`` or ``"torque"``. It has to be said: TORQUE takes requests in the
        words of the others, passes over them, and gives each job one core.
    jobs
        To begin with.
    **options
        What each job is, and what the cluster is: as for `SLURMCluster`.

    Raises
    ------
    SettingsError
        Something of this cannot be; nothing was started.
    """

    def __init__(self, dialect: PbsDialect, jobs: int = 0, **options: Any) -> None:
        job, own = split_options(options)
        spec = JobSpec(**job)
        super().__init__(PbsBackend(dialect), {spec.group: spec}, jobs=jobs, **own)
