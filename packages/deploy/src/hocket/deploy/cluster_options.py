"""The options of a cluster of jobs: which are about each job, and which about the cluster."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from hocket.core.errors import SettingsError
from hocket.deploy.job_cluster import JobCluster
from hocket.deploy.job_spec import JobSpec

__all__ = ["split_options"]

_JOB: Final = tuple(each.name for each in fields(JobSpec))
_CLUSTER: Final = tuple(
    name
    for name, parameter in inspect.signature(JobCluster.__init__).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name != "jobs"
)
#: Of those that have a batch system.
_QUEUE: Final = ("submit_prefix",)


def split_options(
    options: Mapping[str, Any], *, has_queue: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return those of each job, and those of the cluster.

    Raises
    ------
    SettingsError
        One is neither.
    """
    own = (*_CLUSTER, *_QUEUE) if has_queue else _CLUSTER
    known = (*_JOB, *own)
    for name in options:
        if name not in known:
            alike = difflib.get_close_matches(name, known, 1)
            perhaps = f"did you mean {alike[0]!r}? " if alike else ""
            raise SettingsError(
                name=name,
                value=options[name],
                allowed=f"there is no such option; {perhaps}there are {', '.join(known)}",
                source="code",
            )
    job = {name: value for name, value in options.items() if name in _JOB}
    return job, {name: value for name, value in options.items() if name in own}
