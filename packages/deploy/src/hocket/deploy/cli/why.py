"""``hocket why``: where tasks are, and what they wait for."""

from __future__ import annotations

import click

from hocket.deploy.cli.clusters import cluster_flags, cluster_of, observer_of

__all__ = ["command"]


@click.command("why")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@cluster_flags
def command(
    keys: tuple[str, ...],
    settings_file: str | None,
    overrides: tuple[str, ...],
) -> int:
    """Explain where tasks are: what each waits for, and why which worker does not get it."""
    invitation, settings = cluster_of(settings_file, overrides)
    with observer_of(invitation, settings) as observer:
        explained = observer.why(list(keys))
    for one in explained:
        click.echo(one)
    return 0 if all(one.state for one in explained) else 1
