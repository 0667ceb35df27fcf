"""The error tree of the engine: every error has fields, a plain message, and survives pickling.

::

    HocketError                      every error of ours
    |-- UserError                    what the caller did
    |   |-- TaskCancelled(key)
    |   |-- TaskFailed(key, cause)   the user's error could not be carried as it was
    |   |-- TaskTimedOut(key, limit_s, outcome)
    |   |-- KeyLost(key, reason)
    |   |-- WorkerDied(key, causes)
    |   |-- OtherCluster(what, cluster, here)
    |   |-- SerializationError(what, type_name, reason)
    |   |-- SettingsError(name, value, allowed, source)
    |   `-- GraphError
    |       |-- InvalidGraph(what, value, reason)
    |       |-- GraphCycle(path)
    |       |-- UnknownKey(key, wanted_by)
    |       `-- DuplicateKey(key)
    |-- PeerError                    what the other side did
    |   |-- ConnectFailed(address, waited_s, reason)
    |   |-- PeerLost(address, reason)
    |   |-- HandshakeRefused(address, reason)
    |   `-- RemoteProtocolError(reason)
    |-- LimitExceeded(what, limit, asked)
    |-- NoCapacity(needs, best_offer)
    `-- InternalError                our bug: please report
        |-- LocalProtocolError(reason)
        `-- InvariantBroken(rule, detail)

An error is made from its fields by keyword; its message is made by its class, so no message can
leave out a field. ``__reduce__`` hands the fields over, so pickling keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = [
    "ConnectFailed",
    "DuplicateKey",
    "GraphCycle",
    "GraphError",
    "HandshakeRefused",
    "HocketError",
    "InternalError",
    "InvalidGraph",
    "InvariantBroken",
    "KeyLost",
    "LimitExceeded",
    "LocalProtocolError",
    "NoCapacity",
    "OtherCluster",
    "PeerError",
    "PeerLost",
    "RemoteProtocolError",
    "Reschedule",
    "SerializationError",
    "SettingsError",
    "TaskCancelled",
    "TaskFailed",
    "TaskTimedOut",
    "UnknownKey",
    "UserError",
    "VersionsDiffer",
    "WorkerDied",
]


#: Keys of a path that a message shows at each end; ``path`` has them all.
_SHOWN_COUNT: Final = 10


def _chain(path: Sequence[object]) -> str:
    """Return keys with arrows between them; of a long path the middle is left out."""
    shown = [repr(key) for key in path]
    if len(shown) > 2 * _SHOWN_COUNT:
        left_out = f"({len(shown) - 2 * _SHOWN_COUNT:,} more)"
        shown = [*shown[:_SHOWN_COUNT], left_out, *shown[-_SHOWN_COUNT:]]
    return " -> ".join(shown)


def _rebuild(cls: type[HocketError], fields: dict[str, Any]) -> HocketError:
    return cls(**fields)


class HocketError(Exception):
    """Every error that hocket raises by itself.

    Parameters
    ----------
    **fields
        The facts of the error; each becomes an attribute.
    """

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        for name, value in fields.items():
            setattr(self, name, value)
        super().__init__(self.describe())

    def describe(self) -> str:
        """Return the message: what, which, and what to do about it."""
        return ", ".join(f"{name}={value!r}" for name, value in self.fields.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.fields)


class UserError(HocketError):
    """What the caller did, or asked for."""


class TaskCancelled(UserError):
    """The task was cancelled before it had a result."""

    key: str

    def __init__(self, *, key: str) -> None:
        super().__init__(key=key)

    def describe(self) -> str:
        return f"task {self.key!r} was cancelled"


class TaskTimedOut(UserError):
    """The task ran longer than it might.

    ``outcome`` says whether it could be interrupted.
    """

    key: str
    limit_s: float
    outcome: str

    def __init__(self, *, key: str, limit_s: float, outcome: str) -> None:
        super().__init__(key=key, limit_s=limit_s, outcome=outcome)

    def describe(self) -> str:
        limit = f"its time-out of {self.limit_s:g} s"
        return f"task {self.key!r} ran longer than {limit}; {self.outcome}"


class Reschedule(UserError):
    """To be raised by a task that is to be run again, rather on another worker.

    It counts neither as a failure nor as a retry.
    """

    reason: str

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason=reason)

    def describe(self) -> str:
        return f"the task asked to be run again: {self.reason or 'it gave no reason'}"


class TaskFailed(UserError):
    """A task raised an error that could not itself be brought back."""

    key: str
    cause: str

    def __init__(self, *, key: str, cause: str) -> None:
        super().__init__(key=key, cause=cause)

    def describe(self) -> str:
        return f"task {self.key!r} failed: {self.cause}"


class KeyLost(UserError):
    """A result that was there is gone and cannot be computed again."""

    key: str
    reason: str

    def __init__(self, *, key: str, reason: str) -> None:
        super().__init__(key=key, reason=reason)

    def describe(self) -> str:
        return f"the value of {self.key!r} is lost: {self.reason}"


class VersionsDiffer(UserError):
    """Client and workers run different versions of what pickles depend on."""

    differences: dict[str, dict[str, str]]

    def __init__(self, *, differences: dict[str, dict[str, str]]) -> None:
        super().__init__(differences=differences)

    def describe(self) -> str:
        rows = []
        for package, versions in self.differences.items():
            told = ", ".join(f"{place}: {one or 'absent'}" for place, one in versions.items())
            rows.append(f"{package} ({told})")
        return f"versions differ; install the same everywhere: {'; '.join(rows)}"


class WorkerDied(UserError):
    """A task was running on several workers when they died; it is not tried again."""

    key: str
    causes: Sequence[str]

    def __init__(self, *, key: str, causes: Sequence[str]) -> None:
        super().__init__(key=key, causes=list(causes))

    def describe(self) -> str:
        causes = "; ".join(self.causes)
        return (
            f"task {self.key!r} was running on each of {len(self.causes)} workers as they died"
            f" ({causes}); it may use too much memory or end its process"
        )


class OtherCluster(UserError):
    """Something of one cluster was to be used with another, where its name means nothing.

    ``cluster`` is its own, and ``here`` where it was to be used.
    """

    what: str
    cluster: str
    here: str

    def __init__(self, *, what: str, cluster: str, here: str) -> None:
        super().__init__(what=what, cluster=cluster, here=here)

    def describe(self) -> str:
        return (
            f"{self.what} is of the cluster {self.cluster}, and of no use with {self.here}; use it"
            " with a client of its own cluster, and hand over values instead (future.result())"
        )


class SerializationError(UserError):
    """A value of the user's could not be pickled or unpickled."""

    what: str
    type_name: str
    reason: str

    def __init__(self, *, what: str, type_name: str, reason: str) -> None:
        super().__init__(what=what, type_name=type_name, reason=reason)

    def describe(self) -> str:
        return f"cannot serialise {self.what} of type {self.type_name}: {self.reason}"


class SettingsError(UserError, ValueError):
    """A setting is unknown or has a value that it cannot have."""

    name: str
    value: object
    allowed: str
    source: str

    def __init__(self, *, name: str, value: object, allowed: str, source: str) -> None:
        super().__init__(name=name, value=value, allowed=allowed, source=source)

    def describe(self) -> str:
        return f"setting {self.name!r} from {self.source} cannot be {self.value!r}: {self.allowed}"


class GraphError(UserError, ValueError):
    """A graph that cannot be computed."""


class InvalidGraph(GraphError, TypeError):
    """Something that cannot stand where it stands in a graph; ``value`` is its repr, shortened."""

    what: str
    value: str
    reason: str

    def __init__(self, *, what: str, value: str, reason: str) -> None:
        super().__init__(what=what, value=value, reason=reason)

    def describe(self) -> str:
        return f"{self.what} cannot be {self.value}: {self.reason}"


class GraphCycle(GraphError):
    """Tasks that wait for each other in a ring."""

    path: Sequence[object]

    def __init__(self, *, path: Sequence[object]) -> None:
        super().__init__(path=list(path))

    def describe(self) -> str:
        return f"the graph has a cycle, which no order can compute: {_chain(self.path)}"


class UnknownKey(GraphError, KeyError):
    """A key that nothing defines."""

    key: object
    wanted_by: Sequence[object]

    def __init__(self, *, key: object, wanted_by: Sequence[object] = ()) -> None:
        super().__init__(key=key, wanted_by=list(wanted_by))

    def describe(self) -> str:
        if not self.wanted_by:
            return f"nothing defines the key {self.key!r}"
        return f"nothing defines the key {self.key!r}, which is needed by {_chain(self.wanted_by)}"

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return self.describe()


class DuplicateKey(GraphError):
    """One key with two different definitions."""

    key: object

    def __init__(self, *, key: object) -> None:
        super().__init__(key=key)

    def describe(self) -> str:
        return (
            f"the key {self.key!r} already stands for another task; choose another key"
            " or release the futures of the first"
        )


class PeerError(HocketError):
    """What the other side of a connection did."""


class ConnectFailed(PeerError, ConnectionError):
    """Nobody answered at an address."""

    address: str
    waited_s: float
    reason: str

    def __init__(self, *, address: str, waited_s: float, reason: str) -> None:
        super().__init__(address=address, waited_s=waited_s, reason=reason)

    def describe(self) -> str:
        return f"cannot connect to {self.address} (tried for {self.waited_s:.1f} s): {self.reason}"


class PeerLost(PeerError, ConnectionError):
    """A peer that was there is gone."""

    address: str
    reason: str

    def __init__(self, *, address: str, reason: str) -> None:
        super().__init__(address=address, reason=reason)

    def describe(self) -> str:
        return f"lost the connection to {self.address}: {self.reason}"


class HandshakeRefused(PeerError, ConnectionError):
    """The peer is there and does not want us (or we do not want it)."""

    address: str
    reason: str

    def __init__(self, *, address: str, reason: str) -> None:
        super().__init__(address=address, reason=reason)

    def describe(self) -> str:
        return f"the handshake with {self.address} was refused: {self.reason}"


class RemoteProtocolError(PeerError):
    """The peer sent what the protocol does not allow."""

    reason: str

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason=reason)

    def describe(self) -> str:
        return f"the peer broke the protocol: {self.reason}"


class LimitExceeded(HocketError):
    """Something is larger than a limit of ours."""

    what: str
    limit: int
    asked: int

    def __init__(self, *, what: str, limit: int, asked: int) -> None:
        super().__init__(what=what, limit=limit, asked=asked)

    def describe(self) -> str:
        return f"{self.what} of {self.asked} is over the limit of {self.limit}"


class NoCapacity(HocketError):
    """No worker can ever do what is asked."""

    needs: Mapping[str, object]
    best_offer: str

    def __init__(self, *, needs: Mapping[str, object], best_offer: str) -> None:
        super().__init__(needs=dict(needs), best_offer=best_offer)

    def describe(self) -> str:
        needs = ", ".join(f"{name}={value}" for name, value in self.needs.items())
        return f"no worker offers {needs}; {self.best_offer}"


class InternalError(HocketError):
    """A bug of ours: please report it with this message."""


class LocalProtocolError(InternalError):
    """We tried to send what the protocol does not allow."""

    reason: str

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason=reason)

    def describe(self) -> str:
        return f"bug in hocket, please report: {self.reason}"


class InvariantBroken(InternalError):
    """The state of a machine breaks one of its rules."""

    rule: str
    detail: str

    def __init__(self, *, rule: str, detail: str) -> None:
        super().__init__(rule=rule, detail=detail)

    def describe(self) -> str:
        return f"bug in hocket, please report: the rule {self.rule!r} is broken: {self.detail}"
