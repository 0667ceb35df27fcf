"""``hocket status``: who is in a cluster, and what they have to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hocket.deploy.cli.clusters import cluster_flags, cluster_of, observer_of
from hocket.deploy.cli.options import setting_flag

if TYPE_CHECKING:
    from rich.table import Table

    from hocket.deploy.cluster_status import WorkerRow

__all__ = ["command", "table_of"]

_WIDTH = 200


@click.command("status")
@cluster_flags
@setting_flag("--json", "command.json")
def command(settings_file: str | None, overrides: tuple[str, ...]) -> int:
    """Show the workers of a cluster, and what they have to do."""
    invitation, settings = cluster_of(settings_file, overrides)
    with observer_of(invitation, settings) as observer:
        facts: dict[str, Any] = observer.scheduler_info()
    if settings.command.json:
        click.echo(json.dumps(facts, indent=2))
        return 0
    from rich.console import Console  # noqa: PLC0415 (not for --help)

    from hocket.deploy.cluster_status import rows_of, summary_of  # noqa: PLC0415

    rows = rows_of(facts)
    # What is not a terminal is perhaps a file, and cuts nothing off.
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(f"scheduler at {facts['address']}", highlight=False)
    if rows:
        console.print(table_of(rows))
    console.print(summary_of(rows), highlight=False)
    return 0


def table_of(rows: Sequence[WorkerRow]) -> Table:
    """Return a table of workers."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from hocket.deploy.cluster_status import HEADINGS  # noqa: PLC0415

    table = Table(box=box.SIMPLE)
    for heading in HEADINGS:
        is_number = heading in ("pid", "threads", "tasks", "held", "data", "limit", "leaves in")
        table.add_column(heading, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*row.cells())
    return table
