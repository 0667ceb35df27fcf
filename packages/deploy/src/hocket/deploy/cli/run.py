"""``hocket run``: a cluster for the length of a script."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from hocket.deploy.cli.options import setting_flag, settings_flags, settings_of

__all__ = ["command"]


@click.command(
    "run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@setting_flag("--nworkers", "local.workers", "N")
@setting_flag("--nthreads", "local.threads", "N")
@setting_flag("--memory-limit", "worker.memory_limit", "BYTES")
@setting_flag("--resources", "worker.resources", "NAME=AMOUNT,...")
@settings_flags
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    settings_file: str | None,
    overrides: tuple[str, ...],
    script: str,
    arguments: tuple[str, ...],
) -> int:
    """Run a Python SCRIPT beside a cluster on this host, which ends with it.

    Client() in the script, without an address, finds the cluster. The exit code is the script's.
    """
    settings = settings_of(settings_file, overrides)
    from hocket.deploy.local import LocalCluster  # noqa: PLC0415 (not for --help)
    from hocket.deploy.serving import invite  # noqa: PLC0415
    from hocket.deploy.working import parse_resources  # noqa: PLC0415
    from hocket.transport.scheduler_file import write_scheduler_file  # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory(prefix="hocket-") as directory,
        LocalCluster(
            resources=parse_resources(settings.worker.resources), settings=settings
        ) as cluster,
    ):
        file = Path(directory) / "scheduler.json"
        write_scheduler_file(file, invite(cluster.address, "run", cluster.secret))
        environment = {**os.environ, "HOCKET_CLIENT__SCHEDULER_FILE": str(file)}
        # These would go before it.
        for name in ("HOCKET_CLIENT__ADDRESS", "HOCKET_SECURITY__TOKEN"):
            environment.pop(name, None)
        script_process = subprocess.Popen(  # noqa: S603 (what the user asks for)
            [sys.executable, script, *arguments], env=environment
        )
        # What a terminal sends goes to the script as well, whose matter it is; other signals are
        # passed on.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: script_process.terminate())
        code = script_process.wait()
    return code if code >= 0 else 128 - code
