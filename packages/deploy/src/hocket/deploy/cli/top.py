"""``hocket top``: the same as ``hocket status``, again and again, in place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hocket.deploy.cli.clusters import cluster_flags, cluster_of, observer_of
from hocket.deploy.cli.options import setting_flag
from hocket.deploy.cli.status import table_of

if TYPE_CHECKING:
    from rich.console import Group

    from hocket.deploy.cluster_status import WorkerRow

__all__ = ["command"]


@click.command("top")
@cluster_flags
@setting_flag("--interval", "command.interval_s", "TIME")
@setting_flag("--looks", "command.looks", "N")
def command(settings_file: str | None, overrides: tuple[str, ...]) -> int:
    """Watch the workers of a cluster until Ctrl-C."""
    invitation, settings = cluster_of(settings_file, overrides)
    from rich.live import Live  # noqa: PLC0415 (not for --help)

    from hocket.deploy.cluster_status import rows_of  # noqa: PLC0415

    with observer_of(invitation, settings) as observer, Live(auto_refresh=False) as live:
        look = 0
        while True:
            live.update(_page(observer.address, rows_of(observer.scheduler_info())), refresh=True)
            look += 1
            if look == settings.command.looks:
                return 0
            time.sleep(settings.command.interval_s)


def _page(address: str, rows: Sequence[WorkerRow]) -> Group:
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from hocket.deploy.cluster_status import summary_of  # noqa: PLC0415

    busiest = sorted(rows, key=lambda row: -row.assigned)
    return Group(Text(f"{address}: {summary_of(rows)}"), table_of(busiest))
