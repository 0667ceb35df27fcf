"""How many jobs hold what is asked for."""

from __future__ import annotations

import math

from hocket.core.errors import SettingsError
from hocket.deploy.arguments import check_count
from hocket.deploy.job_spec import JobSpec

__all__ = ["jobs_count"]


def jobs_count(
    spec: JobSpec,
    n: int | None,
    jobs: int | None,
    cores: int | None,
    memory: int | str | None,
) -> int:
    """Return the most jobs that any of these asks for.

    Parameters
    ----------
    spec
        What each job is.
    n, jobs, cores, memory
        Workers, jobs, cores of all, bytes of memory of all; None: not asked for.

    Raises
    ------
    SettingsError
        Nothing is asked for, or what cannot be.
    """
    counts = []
    if n is not None:
        counts.append(math.ceil(check_count("n", n, least=0) / spec.processes))
    if jobs is not None:
        counts.append(check_count("jobs", jobs, least=0))
    if cores is not None:
        counts.append(math.ceil(check_count("cores", cores, least=0) / spec.cores))
    if memory is not None:
        if spec.memory_nbytes is None:
            raise SettingsError(
                name="memory",
                value=memory,
                allowed="the jobs of this group ask for no memory; say how many workers or cores",
                source="code",
            )
        wanted = JobSpec(memory=memory).memory_nbytes or 0
        counts.append(math.ceil(wanted / spec.memory_nbytes))
    if not counts:
        raise SettingsError(
            name="n",
            value=None,
            allowed="say how many workers, jobs, cores or bytes",
            source="code",
        )
    return max(counts)
