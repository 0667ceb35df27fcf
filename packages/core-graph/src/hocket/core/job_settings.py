"""The settings of clusters in jobs: when these are submitted, replaced, waited for, given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from hocket.core.setting_kinds import Count, Seconds, Text
from hocket.core.settings_section import Section

__all__ = ["JobsSettings"]


@dataclass(frozen=True, slots=True, repr=False)
class JobsSettings(Section):
    """Clusters whose workers are jobs of a batch system, or run on hosts over SSH."""

    directory: Annotated[
        str,
        Text("Where each cluster has a folder for scripts and logs; all hosts must see it."),
    ] = "~/.hocket/jobs"
    folders_max: Annotated[
        int,
        Count("Folders of clusters that have ended are kept up to this number, the latest ones."),
    ] = 50
    folders_age_s: Annotated[
        float,
        Seconds("How long such a folder is kept after its cluster ended.", infinite=True),
    ] = 30 * 86_400.0
    pending_max: Annotated[
        int, Count("Jobs of a group that wait in the queue at once.", least=1, most=10_000)
    ] = 16
    submit_burst: Annotated[
        int, Count("Jobs of a cluster that are submitted at once.", least=1, most=10_000)
    ] = 8
    submit_interval_s: Annotated[
        float, Seconds("Between two submissions, after the first ones.", least=0.001)
    ] = 0.5
    failures_max: Annotated[
        int,
        Count(
            "Jobs in a row that end without their workers having come, or submissions that fail,"
            " before a group is given up.",
            least=1,
            most=1000,
        ),
    ] = 3
    backoff_s: Annotated[
        float, Seconds("The rest after the first of these; it doubles with each more.")
    ] = 0.5
    backoff_max_s: Annotated[float, Seconds("The longest of these rests.")] = 60.0
    start_timeout_s: Annotated[
        float, Seconds("How long the workers of a running job may take to come.", least=0.1)
    ] = 120.0
    leave_timeout_s: Annotated[
        float,
        Seconds("How long workers that were asked to leave may take, before their job is ended."),
    ] = 60.0
    cancel_timeout_s: Annotated[
        float,
        Seconds("After which a job that was ended and is still there is ended again.", least=0.1),
    ] = 30.0
    bereft_timeout_s: Annotated[
        float, Seconds("How long a job may run on after its workers are gone.")
    ] = 30.0
    missing_looks: Annotated[
        int,
        Count("Looks at the queue in which a job must be missing to have ended.", least=1),
    ] = 2
    never_looks: Annotated[
        int,
        Count("Looks in a row in which it must be said that a job can never start.", least=1),
    ] = 2
    settle_s: Annotated[
        float, Seconds("How long a new job may be missing, since queues are slow to show it.")
    ] = 5.0
    short_life_s: Annotated[
        float,
        Seconds("A job that ends sooner after its workers came counts as one that did not start."),
    ] = 2.0
