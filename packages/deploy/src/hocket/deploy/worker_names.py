"""What workers are called: by the job that they run in, so that people find them in its queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["job_id", "worker_name"]

#: What Grid Engine calls the number of a job that is no part of an array.
_NO_TASK: Final = "undefined"


def job_id(environment: Mapping[str, str]) -> str:
    """Return the id of the job that a process runs in, as its queue writes it; empty: in none.

    An array's jobs are told apart by their number (``12_3``), and one that was queued again by how
    often (``12.r1``): the job's id alone is not its identity.
    """
    if "SLURM_JOB_ID" in environment:
        array = environment.get("SLURM_ARRAY_JOB_ID")
        task = environment.get("SLURM_ARRAY_TASK_ID")
        id_ = f"{array}_{task}" if array and task else environment["SLURM_JOB_ID"]
        restarts = environment.get("SLURM_RESTART_COUNT", "0")
        return id_ if restarts in ("", "0") else f"{id_}.r{restarts}"
    if "PBS_JOBID" in environment:
        # The server's name behind the first dot says nothing that is needed.
        return environment["PBS_JOBID"].partition(".")[0]
    if "JOB_ID" in environment and "SGE_TASK_ID" in environment:
        task = environment["SGE_TASK_ID"]
        return environment["JOB_ID"] + ("" if task == _NO_TASK else f"_{task}")
    return ""


def worker_name(
    *,
    group: str,
    environment: Mapping[str, str],
    host: str,
    pid: int,
    index: int,
    restarts: int,
) -> str:
    """Return a name that no other worker of the cluster has.

    Parameters
    ----------
    group
        The kind of worker.
    environment
        Variables of the process, in which job queues say which job this is.
    host, pid
        Of the command that runs workers, for where there is no job.
    index
        Which of its workers.
    restarts
        How many workers were in its place before.
    """
    job = job_id(environment)
    where = job or f"{host.partition('.')[0]}-{pid}"
    # Of several processes that srun starts in one job.
    step = environment.get("SLURM_PROCID", "0") if job else "0"
    parts = [group, where, *([step] if step not in ("", "0") else []), str(index)]
    return "-".join(parts) + (f".{restarts}" if restarts else "")
