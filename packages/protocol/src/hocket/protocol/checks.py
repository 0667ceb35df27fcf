"""Whether a message fits in itself: what its types cannot say.

Types are checked by msgspec while it decodes. Here: columns have equal lengths, indices lie in
their range, numbers are not negative where that makes no sense, and names are not absurdly long.
A receiver may then rely on all of it. What needs the receiver's state (is this key known?) is the
receiver's to check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from math import isfinite
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct

from hocket.core.errors import RemoteProtocolError
from hocket.protocol.messages import (
    AbandonTasks,
    CancelTasks,
    ClusterDescribed,
    CopiesFailed,
    CopyData,
    DataReply,
    DataStored,
    DescribeCluster,
    DropData,
    DropFunctions,
    EverywhereRan,
    ExplainKeys,
    Failure,
    FetchData,
    ForgetFunctions,
    HereRan,
    InputsMissing,
    KeysExplained,
    KeysLocated,
    KeysLost,
    KeysRebalanced,
    KeysReplicated,
    KeysScattered,
    LeaveCluster,
    LocateKeys,
    PeerBusy,
    PlanScatter,
    PutData,
    RebalanceKeys,
    RecallTasks,
    ReleaseKeys,
    ReplicasStored,
    ReplicateKeys,
    ReportMissing,
    RequestRefused,
    RetireWorkers,
    RunEverywhere,
    RunHere,
    RunTasks,
    ScatterAccepted,
    ScatterPlanned,
    SubmitTasks,
    TasksBegun,
    TasksCancelled,
    TasksDone,
    TasksErred,
    TasksFailed,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    TasksStored,
    WaitForWorkers,
    WantKeys,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
    WorkerReport,
    WorkersReady,
    WorkersRetired,
)

__all__ = ["DIGEST_NBYTES", "KEY_LENGTH_MAX", "NAME_LENGTH_MAX", "check"]

#: Longer keys are not names of anything any more; the longest that dask's users make are of a few
#: hundred characters.
KEY_LENGTH_MAX: Final = 4096
#: Names of workers and resources, addresses, hosts, labels of functions.
NAME_LENGTH_MAX: Final = 1024
#: Of a function's blob (BLAKE2b).
DIGEST_NBYTES: Final = 16
PRIORITY_MAX: Final = 32767


def check(message: Struct) -> None:
    """Refuse a message that does not fit in itself.

    Raises
    ------
    RemoteProtocolError
        It does not; the error names the class and the field.
    """
    for test in _TESTS[type(message)]:
        test(message)


_Test = Callable[[Any], None]


def _misfit(message: Any, field: str, what: str) -> RemoteProtocolError:
    return RemoteProtocolError(reason=f"{type(message).__name__}.{field} does not fit: {what}")


def _equal(*fields: str) -> _Test:
    """Test that all these columns have the length of the first."""
    columns = attrgetter(*fields)

    def test(message: Any) -> None:
        lengths = list(map(len, columns(message)))
        first = lengths[0]
        if lengths.count(first) != len(lengths):
            field, length = next(
                each for each in zip(fields, lengths, strict=True) if each[1] != first
            )
            raise _misfit(message, field, f"it has {length} rows, {fields[0]} has {first}")

    return test


def _equal_or_empty(first: str, *fields: str) -> _Test:
    """Test that each of these columns is empty or has the length of the first."""
    columns = attrgetter(first, *fields)

    def test(message: Any) -> None:
        lengths = list(map(len, columns(message)))
        rows = lengths[0]
        for index, length in enumerate(lengths):
            if length and length != rows:
                what = f"it has {length} rows, {first} has {rows}"
                raise _misfit(message, fields[index - 1], what)

    return test


def _short(length_max: int, *fields: str) -> _Test:
    """Test that no text in these columns is longer than this."""

    def test(message: Any) -> None:
        for field in fields:
            column = getattr(message, field)
            if column and max(map(len, column)) > length_max:
                longest = max(map(len, column))
                what = f"a text of {longest} characters is over the limit of {length_max}"
                raise _misfit(message, field, what)

    return test


def _keys(*fields: str) -> _Test:
    return _short(KEY_LENGTH_MAX, *fields)


def _names(*fields: str) -> _Test:
    return _short(NAME_LENGTH_MAX, *fields)


def _name(field: str) -> _Test:
    """Test that a text is not longer than a name may be."""

    def test(message: Any) -> None:
        _check_name(message, field, getattr(message, field))

    return test


def _check_name(message: Any, field: str, name: str) -> None:
    if len(name) > NAME_LENGTH_MAX:
        what = f"a text of {len(name)} characters is over the limit of {NAME_LENGTH_MAX}"
        raise _misfit(message, field, what)


def _name_lists(field: str) -> _Test:
    """Test lists of names."""

    def test(message: Any) -> None:
        for name in chain.from_iterable(getattr(message, field)):
            _check_name(message, field, name)

    return test


def _digests(*fields: str) -> _Test:
    """Test a digest, or a column of them."""

    def test(message: Any) -> None:
        for field in fields:
            value = getattr(message, field)
            for digest in (value,) if isinstance(value, bytes) else value:
                if len(digest) != DIGEST_NBYTES:
                    what = f"a digest of {len(digest)} bytes instead of {DIGEST_NBYTES}"
                    raise _misfit(message, field, what)

    return test


def _counts(*fields: str) -> _Test:
    """Test that no whole number in these columns is negative."""

    def test(message: Any) -> None:
        for field in fields:
            column = getattr(message, field)
            if column and min(column) < 0:
                raise _misfit(message, field, f"{min(column)} is negative")

    return test


def _amounts(*fields: str) -> _Test:
    """Test that no number in these columns is negative, infinite or no number."""

    def test(message: Any) -> None:
        for field in fields:
            column = getattr(message, field)
            # A sum of numbers one of which is not finite is not finite.
            if column and not (isfinite(sum(column)) and min(column) >= 0):
                raise _misfit(message, field, "an amount is negative or not finite")

    return test


def _finite(field: str) -> _Test:
    """Test that no number in this column is infinite or no number."""

    def test(message: Any) -> None:
        if not isfinite(sum(getattr(message, field))):
            raise _misfit(message, field, "a number is not finite")

    return test


def _not_negative(*fields: str) -> _Test:
    """Test that none of these numbers is negative, infinite or no number."""
    numbers = attrgetter(*fields) if len(fields) > 1 else None

    def test(message: Any) -> None:
        values = numbers(message) if numbers else (getattr(message, fields[0]),)
        for field, value in zip(fields, values, strict=True):
            if not 0 <= value < float("inf"):
                raise _misfit(message, field, f"{value} is not an amount")

    return test


def _resources(field: str) -> _Test:
    """Test amounts by name."""

    def test(message: Any) -> None:
        resources = getattr(message, field)
        for name, amount in resources.items():
            _check_name(message, field, name)
            if not 0 <= amount < float("inf"):
                raise _misfit(message, field, f"{amount} of {name!r} is not an amount")

    return test


def _in_range(message: Any, field: str, indices: Sequence[int], rows: int) -> None:
    if indices and not 0 <= min(indices) <= max(indices) < rows:
        raise _misfit(message, field, f"an index does not lie in 0 to {rows - 1}")


def _indices(field: str, target: str) -> _Test:
    """Test that these are indices into another column."""

    def test(message: Any) -> None:
        _in_range(message, field, getattr(message, field), len(getattr(message, target)))

    return test


def _index_lists(field: str, target: str) -> _Test:
    """Test that each row is a list of indices into another column."""

    def test(message: Any) -> None:
        indices = list(chain.from_iterable(getattr(message, field)))
        _in_range(message, field, indices, len(getattr(message, target)))

    return test


def _size_lists(field: str) -> _Test:
    """Test that each row is a list of sizes, or None."""

    def test(message: Any) -> None:
        rows: Iterable[list[int] | None] = getattr(message, field)
        sizes = list(chain.from_iterable(row for row in rows if row is not None))
        if sizes and min(sizes) < 0:
            raise _misfit(message, field, f"a size of {min(sizes)} bytes")

    return test


def _submit(message: SubmitTasks) -> None:
    tasks = len(message.payloads)
    if tasks > len(message.keys):
        what = f"there are {tasks} tasks and {len(message.keys)} keys"
        raise _misfit(message, "payloads", what)
    if tasks and not message.functions:
        raise _misfit(message, "functions", "there are tasks and no functions")
    if message.wanted is not None:
        _in_range(message, "wanted", message.wanted, tasks)
    if not -PRIORITY_MAX - 1 <= message.priority <= PRIORITY_MAX:
        raise _misfit(message, "priority", f"{message.priority} is not in -32768 to 32767")


def _run(message: RunTasks) -> None:
    if message.keys and not message.functions:
        raise _misfit(message, "functions", "there are tasks and no functions")
    if message.wanted and not 0 <= min(message.wanted) <= max(message.wanted) <= 1:
        raise _misfit(message, "wanted", "a value is neither 0 nor 1")


def _check_failure(message: Any, field: str, failure: Failure | None) -> None:
    if failure is None:
        return
    if len(failure.key) > KEY_LENGTH_MAX:
        raise _misfit(message, field, f"a failure's key of {len(failure.key)} characters")
    _check_name(message, field, failure.worker)
    if failure.attempt < 0:
        raise _misfit(message, field, f"a failure of attempt {failure.attempt}")


def _failures(message: Any) -> None:
    for failure in message.failures:
        _check_failure(message, "failures", failure)


def _here_ran(message: HereRan) -> None:
    _check_failure(message, "failure", message.failure)


_describe_worker: Final = (
    _name("name"),
    _name("address"),
    _name("host"),
    _not_negative("pid", "threads", "memory_limit", "assigned", "held", "held_nbytes"),
    _resources("resources"),
)


def _workers(message: ClusterDescribed) -> None:
    for worker in message.workers:
        for test in _describe_worker:
            test(worker)


def _data_reply(message: DataReply) -> None:
    if message.attempts and min(message.attempts) < -1:
        raise _misfit(message, "attempts", f"{min(message.attempts)} is no attempt")
    for size, error in zip(message.sizes, message.errors, strict=True):
        if size is not None and (error or not size):
            raise _misfit(message, "sizes", "a value that is sent has buffers and no error")


_explain: Final = (
    _keys("waits_for"),
    _names("workers", "considered"),
    _equal("considered", "refusals"),
)


def _explanations(message: KeysExplained) -> None:
    for one in message.explanations:
        for test in _explain:
            test(one)


def _counts_of_names(field: str) -> _Test:
    """Test counts by name."""

    def test(message: Any) -> None:
        for name, count in getattr(message, field).items():
            _check_name(message, field, name)
            if count < 0:
                raise _misfit(message, field, f"{count} is no count of {name!r}")

    return test


_KEYS_AND_ATTEMPTS: Final = (_equal("keys", "attempts"), _keys("keys"), _counts("attempts"))
_ONLY_KEYS: Final = (_keys("keys"),)

_TESTS: Final[dict[type[Struct], tuple[_Test, ...]]] = {
    SubmitTasks: (
        _equal("functions", "labels", "blobs"),
        _equal_or_empty("payloads", "function_of", "dependencies", "ranks"),
        _submit,
        _digests("functions"),
        _keys("keys"),
        _indices("function_of", "functions"),
        _index_lists("dependencies", "keys"),
        _names("labels", "workers"),
        _not_negative("retries", "retry_delay_s"),
        _resources("resources"),
        _name("executor"),
    ),
    ReleaseKeys: _ONLY_KEYS,
    WantKeys: _ONLY_KEYS,
    CancelTasks: _ONLY_KEYS,
    ForgetFunctions: (_digests("digests"),),
    LocateKeys: _ONLY_KEYS,
    ReportMissing: (_keys("keys"), _name("address")),
    PlanScatter: (_counts("nbytes"), _names("workers")),
    KeysScattered: (
        _equal("keys", "nbytes", "addresses"),
        _keys("keys"),
        _counts("nbytes"),
        _name_lists("addresses"),
    ),
    RunEverywhere: (_names("workers"),),
    DescribeCluster: (),
    WaitForWorkers: (_not_negative("count"),),
    ExplainKeys: _ONLY_KEYS,
    ReplicateKeys: (_keys("keys"), _names("workers"), _not_negative("count")),
    RebalanceKeys: (_keys("keys"), _names("workers")),
    RetireWorkers: (_names("workers"),),
    TasksStored: (_equal("keys", "nbytes", "values"), _keys("keys"), _counts("nbytes")),
    TasksErred: (_equal("keys", "failures"), _keys("keys"), _failures),
    TasksCancelled: _ONLY_KEYS,
    KeysLost: _ONLY_KEYS,
    KeysLocated: (_name_lists("addresses"),),
    ScatterPlanned: (_name_lists("addresses"),),
    ScatterAccepted: (),
    EverywhereRan: (
        _equal("workers", "values", "failures"),
        _names("workers"),
        _failures,
    ),
    ClusterDescribed: (_name("scheduler"), _workers),
    WorkersReady: (_not_negative("count"),),
    RequestRefused: (),
    KeysExplained: (_explanations,),
    KeysReplicated: (_counts("counts"),),
    KeysRebalanced: (_not_negative("moved", "nbytes"),),
    WorkersRetired: (_names("workers"),),
    RunTasks: (
        _equal("functions", "labels", "blobs"),
        _equal("keys", "attempts", "priorities", "payloads"),
        _equal_or_empty("keys", "function_of", "wanted", "inputs"),
        _equal("input_keys", "input_attempts", "input_nbytes", "input_holders"),
        _run,
        _digests("functions"),
        _keys("keys", "input_keys"),
        _counts("attempts", "input_attempts", "input_nbytes"),
        _indices("function_of", "functions"),
        _index_lists("inputs", "input_keys"),
        _index_lists("input_holders", "addresses"),
        _names("labels", "addresses"),
        _resources("resources"),
        _name("executor"),
    ),
    DropData: _KEYS_AND_ATTEMPTS,
    RecallTasks: _KEYS_AND_ATTEMPTS,
    AbandonTasks: _KEYS_AND_ATTEMPTS,
    DropFunctions: (_digests("digests"),),
    RunHere: (),
    CopyData: (
        _equal("keys", "attempts", "nbytes", "holders"),
        _keys("keys"),
        _counts("attempts", "nbytes"),
        _index_lists("holders", "addresses"),
        _names("addresses"),
    ),
    LeaveCluster: (),
    WorkerJoined: (
        _name("name"),
        _name("address"),
        _name("host"),
        _not_negative("pid", "threads", "memory_limit"),
        _resources("resources"),
        _counts_of_names("executors"),
    ),
    TasksDone: (
        _equal("keys", "attempts", "nbytes", "starts", "durations"),
        _equal_or_empty("keys", "values"),
        _keys("keys"),
        _counts("attempts", "nbytes"),
        _finite("starts"),
        _amounts("durations"),
    ),
    TasksFailed: (
        _equal("keys", "attempts", "starts", "durations", "failures"),
        _keys("keys"),
        _counts("attempts"),
        _finite("starts"),
        _amounts("durations"),
        _failures,
    ),
    TasksReturned: _KEYS_AND_ATTEMPTS,
    InputsMissing: (*_KEYS_AND_ATTEMPTS, _name("address")),
    ReplicasStored: _KEYS_AND_ATTEMPTS,
    HereRan: (_here_ran,),
    TasksBegun: _KEYS_AND_ATTEMPTS,
    TasksSeceded: _KEYS_AND_ATTEMPTS,
    TasksRejoined: _KEYS_AND_ATTEMPTS,
    TasksRescheduled: _KEYS_AND_ATTEMPTS,
    CopiesFailed: _KEYS_AND_ATTEMPTS,
    WorkerPaused: (),
    WorkerLeaving: (),
    WorkerReport: (
        _not_negative("time_s", "memory_nbytes", "cpu_s", "held_nbytes", "running", "ready"),
    ),
    FetchData: (*_ONLY_KEYS, _name("source")),
    DataReply: (_equal("sizes", "attempts", "errors"), _size_lists("sizes"), _data_reply),
    PeerBusy: (_name_lists("addresses"),),
    PutData: (_equal("keys", "sizes"), _keys("keys"), _size_lists("sizes")),
    DataStored: (_counts("nbytes"),),
}
