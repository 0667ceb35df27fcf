"""Failures: from what the scheduler says of a task that has no result, to what the user sees."""

from __future__ import annotations

from typing import NamedTuple

from hocket.client.states import CANCELLED, LOST, FutureState
from hocket.core.errors import (
    DuplicateKey,
    HocketError,
    InternalError,
    KeyLost,
    SerializationError,
    TaskCancelled,
    TaskFailed,
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
    text = failure.text
    if failure.kind is FailureKind.SERIALIZATION:
        return SerializationError(what=f"something of task {key!r}", type_name="?", reason=text)
    if failure.kind is FailureKind.WORKER_DIED:
        return WorkerDied(key=key, causes=[line for line in text.split("\n") if line])
    if failure.kind is FailureKind.UNKNOWN_KEY:
        return UnknownKey(key=key)
    if failure.kind is FailureKind.DUPLICATE_KEY:
        return DuplicateKey(key=key)
    if failure.kind is FailureKind.LOST:
        return KeyLost(key=key, reason=text)
    return TaskFailed(key=key, cause=text)


def _describe(failure: Failure, began: str, key: str) -> str:
    note = f"task {began!r}"
    if failure.worker:
        note += f" on worker {failure.worker}"
    if failure.attempt:
        note += f", attempt {failure.attempt}"
    return note if began == key else f"{note}; {key!r} depends on it"
