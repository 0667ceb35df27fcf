"""Asking for what may have to be waited for: locks, values of queues and the like.

A request that is given up is withdrawn, and what was meant to be given for it goes back: whatever
happens to whoever waits, nothing is left held that nobody knows of.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from hocket.client.questions import undo_of
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import Signal
from hocket.client.states import Request
from hocket.core.task_context import TaskContext, current_task
from hocket.protocol.messages import ItemsReceived, WithdrawRequest

__all__ = ["Ask", "call", "confirm"]

#: Makes a message of the number of its request, and of the task and the attempt that asks.
Ask = Callable[[int, str, int], Struct]

#: How long the scheduler may take to say whether what was withdrawn had been granted before. If it
#: takes longer, it is left to itself, and what was granted goes back when that is known.
_SETTLE_S: Final = 5.0

#: For so long a task waits with its slot, if it is the only one: most waits are short, and to get
#: the slot back can take as long as another task runs.
_PATIENCE_S: Final = 0.05
#: Each time that so many more tasks of this process wait, patience doubles: every task that gives
#: up its slot lets another begin, and a cluster must not come to consist of tasks that wait.
_DOUBLING_COUNT: Final = 8
_PATIENCE_S_MAX: Final = 60.0

_lock = threading.Lock()
_waiting_count = 0


@contextmanager
def _patience() -> Iterator[float]:
    """Count a task among those that wait; yield for how long it keeps its slot."""
    global _waiting_count  # noqa: PLW0603 - of the process, as slots are
    with _lock:
        patience_s = min(_PATIENCE_S * 2.0 ** (_waiting_count / _DOUBLING_COUNT), _PATIENCE_S_MAX)
        _waiting_count += 1
    try:
        yield patience_s
    finally:
        with _lock:
            _waiting_count -= 1


async def call(session: ClientSession, ask: Ask, timeout_s: float | None = None) -> Request | None:
    """Ask for something, and wait for it.

    Parameters
    ----------
    session
        Of the client.
    ask
        Makes the message.
    timeout_s
        Seconds to wait; 0: not at all; None: for ever.

    Returns
    -------
    Request or None
        Answered; None: it was not granted in time.

    Raises
    ------
    PeerLost
        The scheduler is gone, or the client closed.
    """
    signal = Signal()
    request = _begin(session, ask, signal.wake, timeout_s)
    is_taken = False
    try:
        # (What is withdrawn with its sending has an answer at once.)
        if timeout_s is not None and timeout_s <= 0:
            done = await signal.wait(_SETTLE_S, _SETTLE_S)
        else:
            with _patience() as patience_s:
                done = await signal.wait(timeout_s, patience_s)
            if not done:
                _withdraw(session, request)
                done = await signal.wait(_SETTLE_S, _SETTLE_S)
        is_taken = done
    finally:
        if not is_taken:
            _abandon(session, request)
    return _outcome(request) if done else None


def confirm(session: ClientSession, request: Request) -> None:
    """Tell the scheduler that the values have arrived, and are kept."""
    with session.lock:
        session.begin().post(ItemsReceived(request.number, True))  # noqa: FBT003 - a field
    session.send()


def _begin(
    session: ClientSession, ask: Ask, wake: Callable[[], None], timeout_s: float | None
) -> Request:
    # Only the client that belongs to tasks knows that it is used by one.
    task: TaskContext | None = current_task() if session.of_tasks else None
    name = ("", 0) if task is None else (task.key, task.attempt)
    with session.lock:
        machine = session.begin()
        request = machine.ask(lambda number: ask(number, *name), wake)
        if timeout_s is not None and timeout_s <= 0:
            machine.post(WithdrawRequest(request.number))
    session.send()
    return request


def _withdraw(session: ClientSession, request: Request) -> None:
    with session.lock:
        session.begin().post(WithdrawRequest(request.number))
    session.send()


def _abandon(session: ClientSession, request: Request) -> None:
    """Let nothing come of a request for which nobody waits any more."""
    with session.lock:
        machine = session.begin()
        if request.reply is None:
            machine.withdraw(request)
            machine.post(WithdrawRequest(request.number))
        elif (undo := undo_of(request.reply)) is not None:
            machine.post(undo)
    for state in request.states:
        session.drop(state)
    session.send()


def _outcome(request: Request) -> Request:
    if request.error is not None:
        raise request.error
    return request


def _after_fork_in_child() -> None:
    global _lock, _waiting_count  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    _waiting_count = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
