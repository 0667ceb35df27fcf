"""Several processes under one: forked, told of signals, started anew when they die."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from hocket.deploy.exits import Restarts, cause_of_death, die_with_parent

__all__ = ["KEPT_DOWN", "supervise"]

log = logging.getLogger("hocket.deploy")

#: Exit codes of children that know what they do: they are not started anew.
KEPT_DOWN: Final = frozenset({0, 75, 78})
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
_WATCHED: Final = (*_PASSED_ON, signal.SIGCHLD)
_BROKEN: Final = 70


def supervise(count: int, run: Callable[[int, int], int], *, restart: bool) -> int:
    """Run processes until all have ended; return the exit code of the whole.

    It must be called before this process has threads or an event loop, of which forks make a mess.

    Parameters
    ----------
    count
        How many.
    run
        Called in each process with its index and how many were in its place before; returns its
        exit code.
    restart
        Whether one that died is started anew. One that says that its work is done, or cannot be
        done (`KEPT_DOWN`), is not.

    Returns
    -------
    int
        0 if all ended in good order, else the code of the last that did not.
    """
    # Blocked, they wait until they are asked for, also those that come before the first question.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    parent = os.getpid()
    restarts = Restarts()
    children: dict[int, tuple[int, int]] = {}
    ending = False
    code = 0

    def start(index: int, before: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become(run, index, before, mask, parent)
        children[pid] = (index, before)

    try:
        for index in range(count):
            start(index, 0)
        while children:
            number = signal.sigwait(_WATCHED)
            if number != signal.SIGCHLD:
                ending = True
                for pid in children:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
            for pid, status in _ended():
                index, before = children.pop(pid, (-1, 0))
                if index < 0:
                    continue
                exit_code = os.waitstatus_to_exitcode(status)
                if exit_code in KEPT_DOWN or ending or not restart:
                    code = exit_code or code
                elif restarts.allow(time.monotonic()):
                    cause = cause_of_death(status)
                    log.warning("worker process %d ended: %s; it is replaced", index, cause)
                    start(index, before + 1)
                else:
                    cause = cause_of_death(status)
                    log.error("worker process %d ended: %s; they keep dying", index, cause)
                    code = exit_code
    finally:
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return code if code >= 0 else 128 - code


def _ended() -> list[tuple[int, int]]:
    found = []
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(ended)
    return found


def _become(
    run: Callable[[int, int], int],
    index: int,
    before: int,
    mask: set[int | signal.Signals],
    parent: int,
) -> NoReturn:
    """Be one of the processes; never return."""
    status = _BROKEN
    try:
        die_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = run(index, before)
    except BaseException:  # noqa: BLE001 - the child ends here whatever happens
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
