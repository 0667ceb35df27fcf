"""How a cluster of jobs shows itself to people: on one line, and as a table in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Protocol

from hocket.deploy.reconcile.jobs import Job

__all__ = ["ShownCluster", "cluster_html", "cluster_line", "obstacle_lines"]


class ShownCluster(Protocol):
    """What is to be shown."""

    @property
    def address(self) -> str:
        """The scheduler's addresses."""

    @property
    def status(self) -> str:
        """``"running"`` or ``"closed"``."""

    @property
    def dashboard_link(self) -> str:
        """A link to the scheduler's pages; empty: it has none."""

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """What is known of each job."""


def cluster_line(cluster: ShownCluster) -> str:
    """Return a cluster in one line."""
    kind = type(cluster).__name__
    if cluster.status == "closed":
        return f"<{kind} closed>"
    jobs = [job for job in cluster.jobs if job["state"] != "ended"]
    workers_count = sum(len(job["workers"]) for job in jobs)
    return f"<{kind} {cluster.address} with {workers_count} workers in {len(jobs)} jobs>"


def cluster_html(cluster: ShownCluster) -> str:
    """Return a cluster as HTML."""
    rows = "".join(_row(job) for job in cluster.jobs) if cluster.status == "running" else ""
    head = "".join(
        f"<th>{name}</th>" for name in ("job", "id", "state", "hosts", "workers", "reason")
    )
    link = cluster.dashboard_link if cluster.status == "running" else ""
    pages = f' <a href="{escape(link)}" target="_blank">pages</a>' if link else ""
    return (
        f"<div><strong>{escape(repr(cluster)[1:-1])}</strong>{pages}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(job: Mapping[str, Any]) -> str:
    cells = (
        job["name"],
        job["id"],
        job["state"],
        job["hosts"],
        ", ".join(job["workers"]),
        job["reason"],
    )
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def obstacle_lines(jobs: Iterable[Job]) -> list[str]:
    """Return a line for each job whose workers have not come, with what is known of why."""
    lines = []
    for job in jobs:
        if not job.has_joined:
            why = f": {job.reason}" if job.reason else ""
            lines.append(f"job {job.id or job.name} is {job.state.value}{why}")
    return lines
