"""Failures: from what the scheduler says of a task that has no result, to what the user sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from hocket.client.actor_errors import ActorLost
from hocket.client.states import CANCELLED, LOST, FutureState
from hocket.core.errors import (
    DuplicateKey,
    HocketError,
    InternalError,
    KeyLost,
    SerializationError,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
    UnknownKey,
    WorkerDied,
)
from hocket.protocol.messages import Failure, FailureKind
from hocket.protocol.serialize import load_exception

__all__ = ["Raised", "error_of_failure", "error_of_state"]


class Raised(NamedTuple):
    """In the place of a value: there is none, for this reason."""

    error: BaseException


def error_of_state(state: FutureState, closed: HocketError | None) -> BaseException | None:
    """Return why there is no result, None if there is one or may still be.

    Parameters
    ----------
    state
        Of a future.
    closed
        Why the client is closed, if it is.
    """
    if state.failure is not None:
        return error_of_failure(state.failure, state.key)
    if state.status is CANCELLED:
        return TaskCancelled(key=state.key)
    if state.status is LOST:
        return closed or InternalError(key=state.key, status=state.status)
    return None


def error_of_failure(failure: Failure, key: str) -> BaseException:
    """Return the exception that a failure stands for; a new one at each call.

    Parameters
    ----------
    failure
        As the scheduler passed it on.
    key
        Of the task that was asked for; the failure may have begun in another.
    """
    began = failure.key or key
    if failure.exception:
        error = load_exception(failure.exception, began, failure.text)
        if not isinstance(error, Exception):
            # A SystemExit of a task must not end the program that asks for its result.
            cause, error = error, TaskFailed(key=began, cause=f"it raised {error!r}")
            error.__cause__ = cause
    else:
        error = _error_of_kind(failure, began)
    error.add_note(_describe(failure, began, key))
    return error


def _error_of_kind(failure: Failure, key: str) -> BaseException:
    make = _MAKERS.get(failure.kind)
    return TaskFailed(key=key, cause=failure.text) if make is None else make(failure, key)


def _timed_out(failure: Failure, key: str) -> TaskTimedOut:
    limit, _, outcome = failure.text.partition("\n")
    try:
        limit_s = float(limit)
    except ValueError:
        limit_s = math.nan
    return TaskTimedOut(key=key, limit_s=limit_s, outcome=outcome)


#: What is made of a failure without an exception, by its kind.
_MAKERS: Final[dict[FailureKind, Callable[[Failure, str], HocketError]]] = {
    FailureKind.UNKNOWN_KEY: lambda _, key: UnknownKey(key=key),
    FailureKind.DUPLICATE_KEY: lambda _, key: DuplicateKey(key=key),
    FailureKind.SERIALIZATION: lambda failure, key: SerializationError(
        what=f"something of task {key!r}", type_name="?", reason=failure.text
    ),
    FailureKind.WORKER_DIED: lambda failure, key: WorkerDied(
        key=key, causes=[line for line in failure.text.split("\n") if line]
    ),
    FailureKind.ACTOR_LOST: lambda failure, key: ActorLost(
        actor=key, worker=failure.worker, reason=failure.text
    ),
    FailureKind.LOST: lambda failure, key: KeyLost(key=key, reason=failure.text),
    FailureKind.TIMED_OUT: _timed_out,
    FailureKind.CANCELLED: lambda _, key: TaskCancelled(key=key),
}


def _describe(failure: Failure, began: str, key: str) -> str:
    note = f"task {began!r}"
    if failure.worker:
        note += f" on worker {failure.worker}"
    if failure.attempt:
        note += f", attempt {failure.attempt}"
    return note if began == key else f"{note}; {key!r} depends on it"
