"""How one task is run: from its bytes to a value or a failure.

Whatever the user's code does, raising `SystemExit` and failing to be pickled included, becomes a
`Failure`, or a `Reschedule` if it asks for that; nothing is raised out of here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter, time
from types import CoroutineType
from typing import Any, Final, NamedTuple

from hocket.core.errors import LimitExceeded, Reschedule, SerializationError
from hocket.core.worker_view import CURRENT_WORKER, WorkerView
from hocket.protocol.messages import Failure, FailureKind, HereRan, RunHere
from hocket.protocol.serialize import (
    dump_exception,
    dump_value,
    load_arguments,
    load_function,
    nbytes_of,
)
from hocket.worker.feed import Phases
from hocket.worker.shell.interrupting import (
    Guard,
    GuardedSteps,
    TaskInterrupted,
    run_coroutine,
)
from hocket.worker.shell.packed import value_of
from hocket.worker.state import Function, Task

__all__ = [
    "Outcome",
    "execute",
    "execute_in_loop",
    "failure_after",
    "failure_before",
    "failure_of",
    "run_here",
]

#: A function that runs beside the tasks gets the worker by this name, if it has the parameter.
WORKER_ARGUMENT: Final = "hocket_worker"
#: Characters of a user's repr in a message.
_REPR_LENGTH_MAX: Final = 200


class Outcome(NamedTuple):
    """How the execution of a task ended.

    Attributes
    ----------
    value, nbytes, inline
        The value, its estimated size, and its pickle if that is to go along with the report.
    failure
        Why there is no value: it failed, or asks to be run again; None if there is one.
    start_s, duration_s
        When it began, in seconds since the epoch, and how long it took to load the arguments and
        to run the function.
    phases
        See `Phases`.
    """

    value: object
    nbytes: int
    inline: bytes | None
    failure: Failure | Reschedule | None
    start_s: float
    duration_s: float
    phases: Phases = (0.0, 0.0)


class _Loaded:
    """What became of a function's pickle: something to call, or the reason why not."""

    __slots__ = ("_error", "_function")

    def __init__(
        self, function: Callable[..., Any] | None, error: SerializationError | None = None
    ) -> None:
        self._function = function
        self._error = error

    @property
    def call(self) -> Callable[..., Any]:
        """The function.

        Raises
        ------
        SerializationError
            It could not be unpickled.
        """
        if self._function is None:
            assert self._error is not None
            raise self._error
        return self._function


def execute(
    task: Task,
    worker: str,
    inline_nbytes_max: int,
    guard: Guard | None = None,
) -> Outcome:
    """Run a task in this thread.

    Parameters
    ----------
    task
        As the machine gave it.
    worker
        The worker's name, for failures.
    inline_nbytes_max
        The largest pickled value that goes along with the report.
    guard
        Of this thread, by which the function can be interrupted; None: it is not to be.
    """
    start_s = time()
    began_s = perf_counter()
    try:
        # Two threads may both load it at first; either's will do.
        loaded = task.function.loaded or _load(task.function)
        call = loaded.call  # type: ignore[attr-defined]
        if task.inputs:
            args, kwargs = load_arguments(task.payload, _inputs_of(task))
        else:
            args, kwargs = load_arguments(task.payload)
    except BaseException as error:  # noqa: BLE001 - unpickling runs code of the user's
        duration_s = perf_counter() - began_s
        failure = failure_before(error, task, worker)
        return Outcome(None, 0, None, failure, start_s, duration_s)
    loaded_s = perf_counter() - began_s
    if guard is None:
        guard = Guard()
    raised: BaseException | None = None
    try:
        # (See `interrupting`.)
        guard.task = task
        if guard.unwanted is task:
            raise TaskInterrupted  # noqa: TRY301 - as if it came a moment later
        value = call(*args, **kwargs)
        if type(value) is CoroutineType:
            value = run_coroutine(value, guard)
        guard.task = None
    except BaseException as error:  # noqa: BLE001 - code of the user's
        guard.task = None
        raised = error
    if guard.unwanted is not None:
        try:
            try:
                guard.settle()
            except TaskInterrupted:
                guard.settle()
        except TaskInterrupted:
            guard.settle()
    if raised is not None:
        duration_s = perf_counter() - began_s
        try:
            return Outcome(None, 0, None, _end_of(raised, task, worker), start_s, duration_s)
        finally:
            # Its traceback knows this frame.
            del raised
    times = (start_s, perf_counter() - began_s, loaded_s, began_s)
    return _kept(value, task, worker, inline_nbytes_max, times)


async def execute_in_loop(task: Task, worker: str, inline_nbytes_max: int, guard: Guard) -> Outcome:
    """Run a task on the running event loop, which others share while it waits.

    Parameters
    ----------
    task, worker, inline_nbytes_max, guard
        As for `execute`.
    """
    start_s = time()
    began_s = perf_counter()
    try:
        loaded = task.function.loaded or _load(task.function)
        call = loaded.call  # type: ignore[attr-defined]
        args, kwargs = load_arguments(task.payload, _inputs_of(task))
    except BaseException as error:  # noqa: BLE001 - unpickling runs code of the user's
        duration_s = perf_counter() - began_s
        failure = failure_before(error, task, worker)
        return Outcome(None, 0, None, failure, start_s, duration_s)
    loaded_s = perf_counter() - began_s
    try:
        value = await GuardedSteps(guard, task, partial(call, *args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - code of the user's
        duration_s = perf_counter() - began_s
        return Outcome(None, 0, None, _end_of(error, task, worker), start_s, duration_s)
    times = (start_s, perf_counter() - began_s, loaded_s, began_s)
    return _kept(value, task, worker, inline_nbytes_max, times)


def _kept(
    value: object,
    task: Task,
    worker: str,
    inline_nbytes_max: int,
    times: tuple[float, float, float, float],
) -> Outcome:
    """Return what becomes of a value: its size, and its pickle if that is to go along."""
    start_s, duration_s, loaded_s, began_s = times
    inline = None
    try:
        nbytes = nbytes_of(value)
        if task.wanted and nbytes <= inline_nbytes_max:
            inline = dump_value(value)
            if len(inline) > inline_nbytes_max:
                inline = None
    except BaseException as error:  # noqa: BLE001 - pickling runs code of the user's
        failure = failure_after(error, value, task, worker)
        return Outcome(None, 0, None, failure, start_s, duration_s)
    phases = (loaded_s, perf_counter() - began_s - duration_s)
    return Outcome(value, nbytes, inline, None, start_s, duration_s, phases)


def _end_of(error: BaseException, task: Task, worker: str) -> Failure | Reschedule:
    """Return what it means that the function raised."""
    if isinstance(error, Reschedule):
        return error
    return failure_of(error, task.key, task.attempt, worker)


def _inputs_of(task: Task) -> Mapping[str, object]:
    return {datum.key: value_of(datum) for datum in task.inputs}


def _load(function: Function) -> _Loaded:
    """Unpickle a function, once: a failure is remembered as well."""
    try:
        loaded = _Loaded(load_function(function.blob))
    except BaseException as error:  # noqa: BLE001 - unpickling runs code of the user's
        loaded = _Loaded(None, _cannot_load(f"the function {function.label!r}", error))
    function.loaded = loaded
    return loaded


def _cannot_load(what: str, error: BaseException) -> SerializationError:
    """Say why something cannot be unpickled here, and what helps."""
    cause = error
    if isinstance(error, SerializationError) and error.__cause__ is not None:
        cause = error.__cause__
    reason = f"{type(cause).__name__}: {_text_of(cause)}"
    if isinstance(cause, ImportError):
        # A module of the user's own, or one that is only installed elsewhere.
        name = f"the module {cause.name!r}" if cause.name else "the module"
        reason += (
            f"; install {name} where the workers run, send its file there with"
            " client.upload_file(path), or send it along with cloudpickle.register_pickle_by_value"
        )
    failed = SerializationError(what=what, type_name="bytes", reason=reason)
    failed.__cause__ = cause
    return failed


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as its_error:  # noqa: BLE001 - code of the user's
        return f"<no text, since __str__ raises {type(its_error).__name__}>"


def failure_before(error: BaseException, task: Task, worker: str) -> Failure:
    """Return why a task did not even begin."""
    what = error.what if isinstance(error, SerializationError) else "the arguments"
    failed = _cannot_load(f"{what} of task {task.key!r}", error)
    return failure_of(failed, task.key, task.attempt, worker, FailureKind.SERIALIZATION)


def failure_after(error: BaseException, value: object, task: Task, worker: str) -> Failure:
    """Return why the value of a task that ran cannot be sent."""
    cause = error.__cause__ if isinstance(error, SerializationError) else error
    cause = cause or error
    reason = f"{type(cause).__name__}: {_text_of(cause)}"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        reason += "; what a generator yields comes by client.stream(function, ...)"
    failed = SerializationError(
        what=f"the result of task {task.key!r}, {_repr_of(value)},",
        type_name=type(value).__qualname__,
        reason=reason,
    )
    failed.__cause__ = cause
    return failure_of(failed, task.key, task.attempt, worker, FailureKind.SERIALIZATION)


def _repr_of(value: object) -> str:
    try:
        text = repr(value)
    except BaseException as error:  # noqa: BLE001 - code of the user's
        return f"<no repr, since it raises {type(error).__name__}>"
    return text if len(text) <= _REPR_LENGTH_MAX else f"{text[:_REPR_LENGTH_MAX]}..."


def failure_of(
    error: BaseException,
    key: str,
    attempt: int,
    worker: str,
    kind: FailureKind = FailureKind.RAISED,
) -> Failure:
    """Return an error as a failure that travels; one that cannot be pickled travels as text."""
    try:
        data, text = dump_exception(error, key)
    except BaseException as its_error:  # noqa: BLE001 - code of the user's
        data = b""
        text = (
            f"{type(error).__name__}: {_text_of(error)}"
            f" (its traceback cannot be sent: {type(its_error).__name__})"
        )
    return Failure(kind, key, text, data, worker, attempt)


def run_here(message: RunHere, worker: WorkerView, frame_nbytes_max: int) -> HereRan:
    """Run a function that the scheduler wants to have run beside the tasks.

    Parameters
    ----------
    message
        What to run.
    worker
        The worker, which the function gets as its argument `WORKER_ARGUMENT`, if it has that.
    frame_nbytes_max
        The answer must be well below this.
    """
    key = f"request {message.request}"
    kind = FailureKind.SERIALIZATION
    try:
        CURRENT_WORKER.set(worker)
        function = load_function(message.function)
        args, kwargs = load_arguments(message.payload)
        kind = FailureKind.RAISED
        if WORKER_ARGUMENT not in kwargs and _takes(function, WORKER_ARGUMENT):
            kwargs = {**kwargs, WORKER_ARGUMENT: worker}
        value = function(*args, **kwargs)
        if type(value) is CoroutineType:
            value = asyncio.run(value)
        kind = FailureKind.SERIALIZATION
        data = dump_value(value, f"the answer of worker {worker.name!r}")
        if len(data) > frame_nbytes_max // 2:
            raise LimitExceeded(  # noqa: TRY301 - it is answered like the others
                what=f"the pickled answer of worker {worker.name!r}",
                limit=frame_nbytes_max // 2,
                asked=len(data),
            )
    except BaseException as error:  # noqa: BLE001 - code of the user's
        return HereRan(message.request, None, failure_of(error, key, 0, worker.name, kind))
    return HereRan(message.request, data, None)


def _takes(function: object, name: str) -> bool:
    """Tell whether a function has a parameter of this name."""
    try:
        return name in inspect.signature(function).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
