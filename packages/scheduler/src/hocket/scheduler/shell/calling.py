"""Calling functions that the settings permit, in threads beside the scheduler's loop."""

from __future__ import annotations

import asyncio
import importlib
import logging
import operator
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

from hocket.core.errors import SerializationError
from hocket.protocol.feed import decode_plain, encode_plain, fit_text
from hocket.scheduler.permitted_calls import PermittedCall

__all__ = ["PermittedCaller"]

_THREADS: Final = 4

log: Final = logging.getLogger("hocket.scheduler")


class PermittedCaller:
    """Makes calls, a few at a time.

    A call that never comes back keeps a thread, but not the process.

    Parameters
    ----------
    returned
        Told on the loop what came of each: its number, plain data or None, and an error in words.
    """

    def __init__(self, returned: Callable[[int, bytes | None, str], None]) -> None:
        self._returned = returned
        #: To be made; None: the thread that takes it ends.
        self._calls: SimpleQueue[PermittedCall | None] = SimpleQueue()
        self._threads_count = 0
        self._is_closed = False

    def call(self, calls: list[PermittedCall]) -> None:
        """Begin to make these."""
        loop = asyncio.get_running_loop()
        for each in calls:
            self._calls.put(each)
            if self._threads_count < _THREADS:
                # (An executor's threads would be waited for at the interpreter's end.)
                threading.Thread(
                    target=self._run, args=(loop,), name="hocket-permitted", daemon=True
                ).start()
                self._threads_count += 1

    def close(self) -> None:
        """Begin no more, and wait for none."""
        self._is_closed = True
        for _ in range(self._threads_count):
            self._calls.put(None)

    def _tell(self, number: int, value: bytes | None, error: str) -> None:
        if not self._is_closed:
            self._returned(number, value, error)

    # In the threads.

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (call := self._calls.get()) is not None and not self._is_closed:
            value, error = _make(call)
            with suppress(RuntimeError):  # The loop is closed, so nobody waits.
                loop.call_soon_threadsafe(self._tell, call.number, value, error)


def _make(call: PermittedCall) -> tuple[bytes | None, str]:
    """Make a call; return plain data, or an error in words."""
    try:
        value = _find(call.function)(*_arguments(call, 0), **_arguments(call, 1))
        return encode_plain(value, f"what {call.function!r} returned"), ""
    except BaseException as error:
        # Whatever it is: who called waits for it.
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
