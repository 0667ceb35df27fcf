"""How a class of the user's becomes an actor: what is sent to a worker, and what it makes of that.

The client that has an actor made says what is to stand for it elsewhere (`attach`); the worker that
makes it says what happens to it there (`SETUP`). So neither imports the other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.task_context import current_task

__all__ = [
    "CHECKPOINT",
    "RESTORE",
    "SETUP",
    "UNSHARED",
    "ActorClass",
    "ActorReference",
    "LivingActor",
]

#: The methods of a class that is restarted elsewhere when its worker is lost: the first returns
#: what there is to keep, the second is given that on an actor that was made as at first.
CHECKPOINT: Final = "__checkpoint__"
RESTORE: Final = "__restore__"

#: A value whose class has this attribute is unpickled anew for each who reads it: kept by a worker
#: it would keep the actor that it stands for.
UNSHARED: Final = "__hocket_unshared__"

#: Called with each actor that is made in this context; set by whoever makes actors.
SETUP: Final[ContextVar[Callable[[LivingActor], None] | None]] = ContextVar(
    "hocket_actor_setup", default=None
)


@dataclass(frozen=True, slots=True)
class ActorReference:
    """What stands for an actor wherever it is not.

    Attributes
    ----------
    key
        Of its task.
    cluster
        Where it lives, as the client that had it made calls it.
    label
        What people call its class.
    methods
        The names of what can be called.
    """

    key: str
    cluster: ClusterIdentity
    label: str
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActorClass:
    """A class that is to be made an actor of; called where it is to live.

    Attributes
    ----------
    cls
        The user's.
    attach
        Makes of a reference what users hold; can be imported wherever that is.
    cluster
        As in `ActorReference`.
    checkpoint_every
        A checkpoint is taken after so many calls, if the class can be restarted from one.
    """

    cls: type
    attach: Callable[[ActorReference], Any]
    cluster: ClusterIdentity
    checkpoint_every: int = 1

    @property
    def func(self) -> type:
        """The class, as wrappers of functions have it: it names the task."""
        return self.cls

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of what can be called on it."""
        return tuple(
            name
            for name in dir(self.cls)
            if (name == "__call__" or not name.startswith("__"))
            and callable(getattr(self.cls, name, None))
        )

    @property
    def is_restorable(self) -> bool:
        """Whether it can be restarted from a checkpoint."""
        return hasattr(self.cls, CHECKPOINT) and hasattr(self.cls, RESTORE)

    def reference(self, key: str) -> ActorReference:
        """Return what stands for the actor of a task."""
        return ActorReference(key, self.cluster, self.cls.__name__, self.methods)

    def __call__(self, *args: Any, **kwargs: Any) -> LivingActor:
        """Make one."""
        task = current_task()
        reference = self.reference("" if task is None else task.key)
        actor = LivingActor(self.cls(*args, **kwargs), self, reference)
        setup = SETUP.get()
        if setup is not None:
            setup(actor)
        return actor


class LivingActor:
    """An actor where it lives; pickled, it is what stands for it elsewhere.

    Parameters
    ----------
    instance
        Of the user's class.
    actor_class, reference
        What it was made of, and what it is called.
    """

    __slots__ = ("actor_class", "instance", "reference")

    def __init__(self, instance: Any, actor_class: ActorClass, reference: ActorReference) -> None:
        self.instance = instance
        self.actor_class = actor_class
        self.reference = reference

    def __reduce__(self) -> tuple[Any, ...]:
        return self.actor_class.attach, (self.reference,)
