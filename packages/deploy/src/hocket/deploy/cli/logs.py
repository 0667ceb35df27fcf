"""``hocket logs``: what workers logged, and their tasks printed."""

from __future__ import annotations

import click

from hocket.deploy.cli.clusters import client_of, cluster_flags, cluster_of, may_act, observer_of
from hocket.deploy.cli.options import setting_flag

__all__ = ["command"]


@click.command("logs")
@click.argument("workers", nargs=-1, metavar="[WORKER...]")
@setting_flag("--lines", "command.lines", "N", short="-n")
@cluster_flags
def command(
    workers: tuple[str, ...],
    settings_file: str | None,
    overrides: tuple[str, ...],
) -> int:
    """Show what workers logged and what tasks printed there lately, all in the order of time."""
    invitation, settings = cluster_of(settings_file, overrides)
    count = settings.command.lines
    if may_act(invitation):
        with client_of(invitation, settings) as client:
            places = client.scheduler_info()["workers"].items()
            names = {place: one["name"] for place, one in places}
            logs = client.get_worker_logs(count, list(workers) or None)
    else:
        with observer_of(invitation, settings) as observer:
            names = {}
            found = observer.recent_lines().items()
            logs = {name: own[-count:] for name, own in found if not workers or name in workers}
    told = [(line, names.get(place, place)) for place, own in logs.items() for line in own]
    from hocket.deploy.worker_logs import line_text  # noqa: PLC0415 (not for --help)

    for line, name in sorted(told, key=lambda one: one[0].time_s):
        click.echo(line_text(line, name))
    return 0
