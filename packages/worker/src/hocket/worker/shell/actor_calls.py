"""How an actor is made, called and saved: from bytes to values or failures, as for tasks.

Whatever code of the user's does becomes a failure; nothing of it is raised out of here.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from hocket.core.actor_class import SETUP, LivingActor
from hocket.core.errors import LimitExceeded, SerializationError
from hocket.protocol.messages import CHECKPOINT_NBYTES_MAX, CallKind, Failure, FailureKind
from hocket.protocol.serialize import dump_value, load_arguments, load_value, nbytes_of, pack
from hocket.worker.actors import Actor, Call
from hocket.worker.shell.execution import Outcome, execute, failure_of
from hocket.worker.shell.packed import Packed
from hocket.worker.state import Task

__all__ = ["Made", "answer", "checkpoint_of", "make"]

#: What stands for an actor is small.
_REFERENCE_NBYTES_MAX: Final = 1 << 20


class Made:
    """What came of making an actor.

    Attributes
    ----------
    outcome
        Of its task.
    living
        The actor; None if it failed.
    state
        Its first checkpoint; None: it can have none.
    """

    __slots__ = ("living", "outcome", "state")

    def __init__(self, outcome: Outcome, living: LivingActor | None, state: bytes | None) -> None:
        self.outcome = outcome
        self.living = living
        self.state = state


def make(task: Task, worker: str, saved: bytes | None) -> Made:
    """Run the task that makes an actor, in this thread.

    Parameters
    ----------
    task
        As the machine gave it.
    worker
        The worker's name, for failures.
    saved
        The checkpoint that it is to be made from; None: it is a new one.
    """
    state: bytes | None = None

    def setup(living: LivingActor) -> None:
        nonlocal state
        if saved is not None:
            living.instance.__restore__(load_value(saved))
            state = saved
        elif living.actor_class.is_restorable:
            state = checkpoint_of(living)

    token = SETUP.set(setup)
    try:
        outcome = execute(task, worker, _REFERENCE_NBYTES_MAX)
    finally:
        SETUP.reset(token)
    living = outcome.value
    if not isinstance(living, LivingActor):
        if outcome.failure is None:
            reason = f"a task of actors made a {type(living).__name__}; submit with actor=True"
            error = SerializationError(what="the actor", type_name="?", reason=reason)
            failure = failure_of(error, task.key, task.attempt, worker, FailureKind.SERIALIZATION)
            outcome = outcome._replace(value=None, inline=None, failure=failure)
        return Made(outcome, None, None)
    # Who reads it here gets what everybody gets, and not the actor itself.
    reference = Packed(list(pack(living)))
    outcome = outcome._replace(value=reference, nbytes=_size_of(living.instance))
    return Made(outcome, living, state)


def _size_of(instance: object) -> int:
    try:
        return nbytes_of(instance)
    except BaseException:  # noqa: BLE001 - code of the user's
        return 0


def checkpoint_of(living: LivingActor) -> bytes:
    """Return what an actor can be restarted from.

    Raises
    ------
    LimitExceeded
        It is too large.
    BaseException
        What the user's code raises.
    """
    label = living.reference.label
    what = f"the checkpoint of actor {living.reference.key!r}"
    state = dump_value(living.instance.__checkpoint__(), what)
    if len(state) > CHECKPOINT_NBYTES_MAX:
        raise LimitExceeded(
            what=f"{what} (what {label}.__checkpoint__ returns, pickled)",
            limit=CHECKPOINT_NBYTES_MAX,
            asked=len(state),
        )
    return state


def begin(living: LivingActor, call: Call) -> Any:
    """Do what a call asks for; of a coroutine method it returns what is to be awaited.

    Raises
    ------
    BaseException
        What the user's code raises.
    """
    if call.kind == CallKind.ATTRIBUTE:
        return getattr(living.instance, call.method)
    method = getattr(living.instance, call.method)
    args, kwargs = load_arguments(call.payload)
    return method(*args, **kwargs)


def answer(
    living: LivingActor, call: Call, actor: Actor, worker: str, value_nbytes_max: int
) -> tuple[bytes | None, Failure | None, Awaitable[Any] | None]:
    """Make a call.

    Returns
    -------
    tuple
        The pickled value, or a failure; or neither, and what is to be awaited for them.
    """
    try:
        value = begin(living, call)
        if isinstance(value, Awaitable) and call.kind == CallKind.METHOD:
            return None, None, value
        return _dump(value, call, actor, value_nbytes_max), None, None
    except BaseException as error:  # noqa: BLE001 - code of the user's
        return None, fail(error, call, actor, worker), None


async def answer_later(
    value: Awaitable[Any], call: Call, actor: Actor, worker: str, value_nbytes_max: int
) -> tuple[bytes | None, Failure | None]:
    """Wait for what a coroutine method returns."""
    try:
        return _dump(await value, call, actor, value_nbytes_max), None
    except BaseException as error:  # noqa: BLE001 - code of the user's
        return None, fail(error, call, actor, worker)


def fail(error: BaseException, call: Call, actor: Actor, worker: str) -> Failure:
    """Return an error of a call as a failure that travels."""
    return failure_of(error, f"{actor.key}.{call.method}", actor.attempt, worker)


def _dump(value: Any, call: Call, actor: Actor, value_nbytes_max: int) -> bytes:
    what = f"the result of {call.method!r} of actor {actor.key!r}"
    data = dump_value(value, what)
    if len(data) > value_nbytes_max:
        raise LimitExceeded(what=f"{what}, pickled", limit=value_nbytes_max, asked=len(data))
    return data
