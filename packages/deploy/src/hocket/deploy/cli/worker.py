"""``hocket worker``: workers as processes of their own."""

from __future__ import annotations

import click

from hocket.deploy.cli.options import (
    log_to_stderr,
    refuse_token,
    setting_flag,
    settings_flags,
    settings_of,
)

__all__ = ["command"]


@click.command("worker")
@click.argument("address", required=False)
@setting_flag("--scheduler-file", "client.scheduler_file", "FILE")
@setting_flag("--nworkers", "worker.count", "N")
@setting_flag("--nthreads", "worker.threads", "N")
@setting_flag("--memory-limit", "worker.memory_limit", "BYTES")
@setting_flag("--resources", "worker.resources", "NAME=AMOUNT,...")
@setting_flag("--gpus", "worker.gpus", "auto|none|N|NAMES")
@setting_flag("--name", "worker.name", "NAME")
@setting_flag("--group", "worker.group", "NAME")
@setting_flag("--lifetime", "worker.lifetime_s", "TIME")
@setting_flag("--lifetime-margin", "worker.lifetime_margin_s", "TIME")
@setting_flag("--host", "worker.host", "HOST")
@setting_flag("--interface", "worker.interface", "NAME")
@setting_flag("--port", "worker.port", "PORT[-PORT]")
@setting_flag("--restart", "worker.restart", "yes|no")
@setting_flag("--connect-timeout", "worker.connect_timeout_s", "TIME")
@setting_flag("--secret-file", "security.secret_file", "FILE")
@settings_flags
def command(address: str | None, settings_file: str | None, overrides: tuple[str, ...]) -> int:
    """Run workers for the scheduler at ADDRESS, until it has no use for them.

    Without an address they work for the cluster of the scheduler file, of the token in the
    variable HOCKET_SECURITY__TOKEN, or for the only one that the same user has started. At SIGTERM,
    SIGINT, SIGUSR1 or SIGUSR2 they end what they run, hand on what they hold, and go; at a second
    SIGTERM or SIGINT at once.
    """
    settings = settings_of(settings_file, overrides)
    refuse_token(address)
    log_to_stderr()
    from hocket.deploy.working import serve_workers  # noqa: PLC0415 (not for --help)

    return serve_workers(address, settings, click.echo)
