"""``hocket scheduler``: a scheduler as a process of its own."""

from __future__ import annotations

import click

from hocket.deploy.cli.options import log_to_stderr, setting_flag, settings_flags, settings_of

__all__ = ["command"]


@click.command("scheduler")
@setting_flag("--host", "scheduler.host", "HOST")
@setting_flag("--interface", "scheduler.interface", "NAME")
@setting_flag("--port", "scheduler.port", "PORT[-PORT]")
@setting_flag("--scheduler-file", "scheduler.scheduler_file", "FILE")
@setting_flag("--secret-file", "security.secret_file", "FILE")
@settings_flags
def command(settings_file: str | None, overrides: tuple[str, ...]) -> int:
    """Run a scheduler until it gets SIGTERM or SIGINT.

    It prints where it listens. Processes of the same user find it by this address; those of other
    hosts as well if they share the home directory, or the scheduler file. Where nothing is shared,
    hocket token prints what to paste.
    """
    settings = settings_of(settings_file, overrides)
    log_to_stderr()
    from hocket.deploy.serving import serve_scheduler  # noqa: PLC0415 (not for --help)

    serve_scheduler(settings, click.echo)
    return 0
