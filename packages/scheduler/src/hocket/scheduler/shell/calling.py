"""Calling functions that the settings permit, in threads beside the scheduler's loop."""

from __future__ import annotations

import asyncio
import importlib
import logging
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from hocket.core.errors import SerializationError
from hocket.protocol.feed import decode_plain, encode_plain, fit_text
from hocket.scheduler.permitted_calls import PermittedCall

__all__ = ["PermittedCaller"]

_THREADS: Final = 4

log: Final = logging.getLogger("hocket.scheduler")


class PermittedCaller:
    """Makes calls, a few at a time.

    Parameters
    ----------
    returned
        Told on the loop what came of each: its number, plain data or None, and an error in words.
    """

    def __init__(self, returned: Callable[[int, bytes | None, str], None]) -> None:
        self._returned = returned
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, calls: list[PermittedCall]) -> None:
        """Begin to make these."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hocket-permitted")
        for each in calls:
            task = asyncio.get_running_loop().create_task(self._call(self._threads, each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Begin no more, and wait for none."""
        for task in self._tasks:
            task.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, threads: ThreadPoolExecutor, call: PermittedCall) -> None:
        loop = asyncio.get_running_loop()
        value, error = await loop.run_in_executor(threads, _make, call)
        self._returned(call.number, value, error)


def _make(call: PermittedCall) -> tuple[bytes | None, str]:
    """Make a call; return plain data, or an error in words."""
    try:
        value = _find(call.function)(*_arguments(call, 0), **_arguments(call, 1))
        return encode_plain(value, f"what {call.function!r} returned"), ""
    except (Exception, SystemExit) as error:
        log.warning("%s, which a client had called, raised", call.function, exc_info=True)
        return None, fit_text(f"{type(error).__name__}: {error}")


def _find(name: str) -> Callable[..., Any]:
    module, _, path = name.partition(":")
    found: Callable[..., Any] = operator.attrgetter(path)(importlib.import_module(module))
    return found


def _arguments(call: PermittedCall, index: int) -> Any:
    """Return the arguments, or those by name."""
    kind = (list, dict)[index]
    plain = decode_plain(call.arguments)
    if not isinstance(plain, list) or len(plain) != 2 or not isinstance(plain[index], kind):
        raise SerializationError(
            what="arguments", type_name="bytes", reason="they must be a list and a dict"
        )
    return plain[index]
