"""The consumers of events that the settings name: a process for each, beside the scheduler.

So what users write never runs where the scheduler does, and never slows it: they look on in the
role of an observer, as everybody who looks on from afar.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from typing import Final

from hocket.core.name_lists import split_names
from hocket.protocol.credentials import parse_secret
from hocket.protocol.roles import Role
from hocket.transport.services import RoleFacts
from hocket.transport.tls import pin_of

__all__ = ["Consumers"]

log = logging.getLogger("hocket.scheduler")

#: Settings that are not for them.
_SECRETS: Final = frozenset({"security.secret", "security.secret_file", "security.token"})
#: How long they may take to end when the scheduler does, in seconds.
_PATIENCE_S: Final = 2.0


class Consumers:
    """Starts the consumers and ends them.

    One that ends is not started anew: the log says how it ended.

    Parameters
    ----------
    facts
        Of the scheduler.
    """

    def __init__(self, facts: RoleFacts) -> None:
        self._facts = facts
        self._processes: set[asyncio.subprocess.Process] = set()
        self._closing = False
        places = split_names(facts.settings.scheduler.consumers)
        if places and facts.scheduler_address.startswith("inproc:"):
            log.error(
                "the event consumers %s are not started: they are processes, and none reaches a"
                " scheduler inside of another one",
                ", ".join(places),
            )
            places = []
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(place)) for place in places]

    async def close(self) -> None:
        """Wait until they have ended, which they do as the scheduler says goodbye; or kill them."""
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE_S)
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, place: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hocket.scheduler.shell.consuming"),
                stdin=asyncio.subprocess.PIPE,
                # Ctrl-C in a terminal is meant for the scheduler, which tells them.
                start_new_session=True,
            )
        except OSError as error:
            log.error("the event consumer %s cannot be started: %s", place, error)  # noqa: TRY400
            return
        self._processes.add(process)
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(self._told(place))
            await process.stdin.drain()
            process.stdin.close()
        code = await process.wait()
        self._processes.discard(process)
        if not self._closing:
            log.error("the event consumer %s ended with exit code %d", place, code)

    def _told(self, place: str) -> bytes:
        """Return what a consumer is to know: it gets an observer's key and no more."""
        facts = self._facts
        secret = facts.secret
        if secret:
            secret = parse_secret(secret).to_text(Role.OBSERVER, pin_of(secret))
        settings = facts.settings.to_flat()
        told = {
            "place": place,
            "address": facts.scheduler_address,
            "secret": secret,
            "settings": {name: settings[name] for name in settings if name not in _SECRETS},
            "path": sys.path,
        }
        return json.dumps(told, default=str).encode() + b"\n"
