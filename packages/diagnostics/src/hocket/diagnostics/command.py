"""The command ``hocket-dashboard``: the pages as a process of their own, live or from a recording.

    hocket-dashboard tcp://127.0.0.1:8786     a scheduler that is busy enough without drawing
    hocket-dashboard feed.rec                 what `Client.record_feed` wrote

The cluster's secret is that of the settings (``HOCKET_SECURITY__SECRET``, or a file).
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hocket.core.errors import HocketError
from hocket.core.settings import Settings
from hocket.core.settings_file import load_settings, read_secret
from hocket.diagnostics.embedding import link_of_socket, listen
from hocket.diagnostics.watching import Watch
from hocket.protocol.login import LOGIN_LIFE_S, open_link
from hocket.transport import now

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit code: 0, or 2 if something is wrong."""
    parser = argparse.ArgumentParser(prog="hocket-dashboard", description=__doc__.split("\n")[0])
    parser.add_argument("source", help="a scheduler's address, or a recording")
    parser.add_argument("--host", help="where to listen, instead of diagnostics.host")
    parser.add_argument("--port", type=int, help="the port, instead of diagnostics.port")
    options = parser.parse_args(arguments)
    overrides = {
        f"diagnostics.{name}": value
        for name in ("host", "port")
        if (value := getattr(options, name)) is not None
    }
    try:
        settings = load_settings(overrides=overrides)
        secret = read_secret(settings.security).decode()
        return asyncio.run(_serve(options.source, settings, secret))
    except (HocketError, OSError, UnicodeDecodeError) as error:
        print(f"hocket-dashboard: {error}", file=sys.stderr)  # noqa: T201 - it is a command
        return 2


async def _serve(source: str, settings: Settings, secret: str) -> int:
    # Imported here: wrong arguments are told of at once.
    from hocket.diagnostics.web.reach import needs_login  # noqa: PLC0415
    from hocket.diagnostics.web.server import DashboardServer  # noqa: PLC0415

    own = settings.diagnostics
    # (A recording has no cluster whose secret it could be.)
    secret = secret or secrets.token_hex(16)
    watch = _make_watch(source, settings, secret)
    listening = listen(own.host, own.port)
    server = DashboardServer(
        "scheduler", "", watch, settings=settings, secret=secret, host=own.host
    )
    server.start([listening])
    link = link_of_socket(settings, listening, source)
    if needs_login(settings, own.host):
        expires_s = now() + LOGIN_LIFE_S
        link = open_link(f"{link}login", secret, secrets.token_urlsafe(12), expires_s)
    print(link, flush=True)  # noqa: T201 - that is what one wants to know
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.close()
    return 0


def _make_watch(source: str, settings: Settings, secret: str) -> Watch:
    from hocket.diagnostics.distant_watching import DistantWatch  # noqa: PLC0415
    from hocket.diagnostics.report.recorded_watching import RecordedWatch  # noqa: PLC0415

    if "://" in source:
        return DistantWatch(source, secret=secret, settings=settings)
    return RecordedWatch(Path(source))


if __name__ == "__main__":
    sys.exit(main())
