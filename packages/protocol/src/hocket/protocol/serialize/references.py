"""References: how a future inside an argument becomes a dependency, and a value again.

A future reduces to ``resolve(key)``. While arguments are pickled for a task, each future that is
met also notes its key here; so the dependencies are known after the one pass that had to be made
anyway, however deep the futures lie, and nothing walks over containers. A future of another cluster
is refused on the way. Where the task runs, its inputs are set out, and unpickling the arguments
picks them up.

Both are context variables, so threads do not see each other's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import OtherCluster, SerializationError, UnknownKey

__all__ = [
    "Owner",
    "References",
    "collect_references",
    "collecting",
    "collector",
    "inputs_of",
    "note_reference",
    "resolve",
]


class Owner(Protocol):
    """Whose a key is: a session, say."""

    cluster: ClusterIdentity


class References(list[str]):
    """Keys met by a pickling, in the order met.

    Parameters
    ----------
    owner
        On whose behalf it is pickled; keys of other clusters are refused. None: nobody says.
    """

    __slots__ = ("guests", "owner")

    def __init__(self, owner: Owner | None = None) -> None:
        super().__init__()
        self.owner = owner
        #: What keeps the keys that are another owner's.
        self.guests: list[Any] = []

    def begin(self) -> None:
        """Forget all that was met."""
        self.clear()
        if self.guests:
            self.guests = []


#: The keys met by the pickling that is under way in this thread; None: none is.
collector: Final[ContextVar[References | None]] = ContextVar("hocket_collector", default=None)

_inputs: Final[ContextVar[Mapping[str, object] | None]] = ContextVar("hocket_inputs", default=None)


def collecting() -> bool:
    """Tell whether arguments for a task are being pickled now, in this thread."""
    return collector.get() is not None


def note_reference(key: str, owner: Owner | None = None, keeper: object = None) -> None:
    """Note that what is being pickled depends on a key.

    Parameters
    ----------
    key
        Of a task.
    owner
        Whose key it is; None: of whoever has it pickled.
    keeper
        What keeps the key.

    Raises
    ------
    SerializationError
        No arguments are being pickled.
    OtherCluster
        The pickle goes to another cluster.
    """
    keys = collector.get()
    if keys is None:
        raise SerializationError(
            what=f"a reference to {key!r}",
            type_name="Future",
            reason="it is only known to the arguments of a task",
        )
    mine = keys.owner
    if owner is not mine and owner is not None and mine is not None:
        if not owner.cluster.is_of(mine.cluster):
            raise OtherCluster(
                what=f"the future {key!r}", cluster=str(owner.cluster), here=str(mine.cluster)
            )
        keys.guests.append(keeper)
    keys.append(key)


def resolve(key: str) -> object:
    """Return the input of this key, for the task whose arguments are being unpickled.

    Raises
    ------
    SerializationError
        No task's arguments are being unpickled.
    UnknownKey
        The key is not among the inputs.
    """
    inputs = _inputs.get()
    if inputs is None:
        raise SerializationError(
            what=f"a reference to {key!r}",
            type_name="Future",
            reason="it was pickled as an argument of a task and can only be unpickled for one",
        )
    try:
        return inputs[key]
    except KeyError:
        raise UnknownKey(key=key) from None


@contextmanager
def collect_references() -> Iterator[References]:
    """Collect the keys that are met while something is pickled within the block."""
    keys = References()
    token = collector.set(keys)
    try:
        yield keys
    finally:
        collector.reset(token)


@contextmanager
def inputs_of(values: Mapping[str, object]) -> Iterator[None]:
    """Let `resolve` find these values, in this thread, within the block."""
    token = _inputs.set(values)
    try:
        yield
    finally:
        _inputs.reset(token)
