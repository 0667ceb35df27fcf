"""Whether a message fits in itself: what its types cannot say.

Types are checked by msgspec while it decodes. Here: columns have equal lengths, indices lie in
their range, numbers are not negative where that makes no sense, and names are not absurdly long.
A receiver may then rely on all of it. What needs the receiver's state (is this key known?) is the
receiver's to check.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from hocket.protocol import rules
from hocket.protocol.messages import (
    CHECKPOINT_NBYTES_MAX,
    AbandonTasks,
    AcquireLeases,
    AcquireLocks,
    ActorSaved,
    ActorsPlaced,
    ActorsRestarting,
    CallActors,
    CallKind,
    CallScheduler,
    CallsEnded,
    CancelAnswered,
    CancelCalls,
    CancelTasks,
    ChangeBarrier,
    ChangeEvent,
    CheckpointsKept,
    CloseQueue,
    ClusterDescribed,
    ClusterEnds,
    CopiesFailed,
    CopyData,
    DataReply,
    DataStored,
    DescribeCluster,
    DropData,
    DropFunctions,
    DropSetup,
    EndCluster,
    EverywhereRan,
    ExplainKeys,
    Failure,
    FetchData,
    ForgetFunctions,
    GetVariable,
    GrantGiven,
    GrantsRevoked,
    HereRan,
    InputsMissing,
    ItemsGiven,
    ItemsReceived,
    KeepSetup,
    KeysExplained,
    KeysLocated,
    KeysLost,
    KeysRebalanced,
    KeysReplicated,
    KeysScattered,
    LeaveCluster,
    ListTasks,
    ListVariables,
    LocateKeys,
    LookAt,
    PeerBusy,
    PlanScatter,
    PutData,
    PutItem,
    RebalanceKeys,
    RecallTasks,
    ReleaseGrant,
    ReleaseKeys,
    ReplicasStored,
    ReplicateKeys,
    ReportMissing,
    RequestDenied,
    RequestDone,
    RequestRefused,
    RestoreActor,
    RetireWorkers,
    RetryTasks,
    RunEverywhere,
    RunHere,
    RunTasks,
    ScatterAccepted,
    ScatterPlanned,
    SchedulerCalled,
    SecretChanged,
    SetVariable,
    StateTold,
    SubmitTasks,
    TakeItems,
    TasksBegun,
    TasksCancelled,
    TasksDone,
    TasksErred,
    TasksFailed,
    TasksInterrupted,
    TasksListed,
    TasksRejoined,
    TasksRescheduled,
    TasksReturned,
    TasksSeceded,
    TasksStored,
    VariablesListed,
    WaitBarrier,
    WaitEvent,
    WaitForWorkers,
    WantKeys,
    WithdrawRequest,
    WorkerJoined,
    WorkerLeaving,
    WorkerPaused,
    WorkerReport,
    WorkersReady,
    WorkersRetired,
)
from hocket.protocol.observing_checks import OBSERVING_TESTS
from hocket.protocol.rules import DIGEST_NBYTES, KEY_LENGTH_MAX, NAME_LENGTH_MAX

__all__ = ["DIGEST_NBYTES", "KEY_LENGTH_MAX", "NAME_LENGTH_MAX", "check"]

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


def _submit(message: SubmitTasks) -> None:
    tasks = len(message.payloads)
    if tasks > len(message.keys):
        what = f"there are {tasks} tasks and {len(message.keys)} keys"
        raise rules.misfit(message, "payloads", what)
    if tasks and not message.functions:
        raise rules.misfit(message, "functions", "there are tasks and no functions")
    if message.wanted is not None:
        rules.in_range(message, "wanted", message.wanted, tasks)
    if not -PRIORITY_MAX - 1 <= message.priority <= PRIORITY_MAX:
        raise rules.misfit(message, "priority", f"{message.priority} is not in -32768 to 32767")


def _run(message: RunTasks) -> None:
    if message.keys and not message.functions:
        raise rules.misfit(message, "functions", "there are tasks and no functions")
    if message.wanted and not 0 <= min(message.wanted) <= max(message.wanted) <= 1:
        raise rules.misfit(message, "wanted", "a value is neither 0 nor 1")


def _check_failure(message: Any, field: str, failure: Failure | None) -> None:
    if failure is None:
        return
    if len(failure.key) > KEY_LENGTH_MAX:
        raise rules.misfit(message, field, f"a failure's key of {len(failure.key)} characters")
    rules.check_name(message, field, failure.worker)
    if failure.attempt < 0:
        raise rules.misfit(message, field, f"a failure of attempt {failure.attempt}")


def _failures(message: Any) -> None:
    for failure in message.failures:
        _check_failure(message, "failures", failure)


def _here_ran(message: HereRan) -> None:
    _check_failure(message, "failure", message.failure)


_describe_worker: Final = (
    rules.name("name"),
    rules.name("address"),
    rules.name("host"),
    rules.not_negative("pid", "threads", "memory_limit", "assigned", "held", "held_nbytes"),
    rules.resources("resources"),
)


_describe_demand: Final = (
    rules.not_negative("count", "duration_s"),
    rules.resources("resources"),
    rules.names("workers"),
    rules.name("executor"),
)


def _described(message: ClusterDescribed) -> None:
    for worker in message.workers:
        for test in _describe_worker:
            test(worker)
    for demand in message.demands:
        for test in _describe_demand:
            test(demand)


def _data_reply(message: DataReply) -> None:
    if message.attempts and min(message.attempts) < -1:
        raise rules.misfit(message, "attempts", f"{min(message.attempts)} is no attempt")
    for size, error in zip(message.sizes, message.errors, strict=True):
        if size is not None and (error or not size):
            raise rules.misfit(message, "sizes", "a value that is sent has buffers and no error")


_explain: Final = (
    rules.keys("waits_for"),
    rules.names("workers", "considered"),
    rules.equal("considered", "refusals"),
)


def _explanations(message: KeysExplained) -> None:
    for one in message.explanations:
        for test in _explain:
            test(one)


def _state(message: ActorSaved | RestoreActor) -> None:
    if len(message.state) > CHECKPOINT_NBYTES_MAX:
        what = f"a checkpoint of {len(message.state)} bytes"
        raise rules.misfit(message, "state", what)


def _kinds(message: CallActors) -> None:
    if message.kinds:
        rules.in_range(message, "kinds", message.kinds, len(CallKind))


def _placed(message: ActorsPlaced) -> None:
    for names, numbers in zip(message.callers, message.saved_numbers, strict=True):
        if len(names) != len(numbers):
            what = f"{len(numbers)} numbers of {len(names)} callers"
            raise rules.misfit(message, "saved_numbers", what)
        if numbers and min(numbers) < 0:
            raise rules.misfit(message, "saved_numbers", f"{min(numbers)} is no number of a call")


_KEYS_AND_ATTEMPTS: Final = (
    rules.equal("keys", "attempts"),
    rules.keys("keys"),
    rules.counts("attempts"),
)
_ONLY_KEYS: Final = (rules.keys("keys"),)
_SAVED: Final = (
    _state,
    rules.key("key"),
    rules.not_negative("attempt"),
    rules.equal("callers", "numbers"),
    rules.names("callers"),
    rules.counts("numbers"),
)
_COORDINATED: Final = (
    rules.name("name"),
    rules.not_negative("request", "attempt"),
    rules.key("task_key"),
)

_TESTS: Final[dict[type[Struct], tuple[rules.Rule, ...]]] = {
    SubmitTasks: (
        rules.equal("functions", "labels", "blobs"),
        rules.equal_or_empty("payloads", "function_of", "dependencies", "ranks"),
        _submit,
        rules.digests("functions"),
        rules.keys("keys"),
        rules.indices("function_of", "functions"),
        rules.index_lists("dependencies", "keys"),
        rules.names("labels", "workers"),
        rules.not_negative("retries", "retry_delay_s", "timeout_s"),
        rules.resources("resources"),
        rules.name("executor"),
    ),
    ReleaseKeys: _ONLY_KEYS,
    WantKeys: _ONLY_KEYS,
    CancelTasks: (rules.keys("keys"), rules.not_negative("request")),
    ForgetFunctions: (rules.digests("digests"),),
    LocateKeys: _ONLY_KEYS,
    ReportMissing: (rules.keys("keys"), rules.name("address")),
    PlanScatter: (rules.counts("nbytes"), rules.names("workers")),
    KeysScattered: (
        rules.equal("keys", "nbytes", "addresses"),
        rules.keys("keys"),
        rules.counts("nbytes"),
        rules.name_lists("addresses"),
    ),
    RunEverywhere: (rules.names("workers"),),
    DescribeCluster: (),
    WaitForWorkers: (rules.not_negative("count"),),
    ExplainKeys: _ONLY_KEYS,
    ReplicateKeys: (rules.keys("keys"), rules.names("workers"), rules.not_negative("count")),
    RebalanceKeys: (rules.keys("keys"), rules.names("workers")),
    RetireWorkers: (rules.names("workers"),),
    EndCluster: (),
    CallScheduler: (),
    ListTasks: (rules.names("workers"), rules.keys("keys")),
    ListVariables: (rules.name("prefix"),),
    RetryTasks: _ONLY_KEYS,
    VariablesListed: (rules.names("names"),),
    KeepSetup: (rules.name("name"),),
    DropSetup: (rules.name("name"),),
    TasksStored: (
        rules.equal("keys", "nbytes", "values"),
        rules.keys("keys"),
        rules.counts("nbytes"),
    ),
    TasksErred: (rules.equal("keys", "failures"), rules.keys("keys"), _failures),
    TasksCancelled: _ONLY_KEYS,
    CancelAnswered: (
        rules.equal("keys", "outcomes", "workers"),
        rules.keys("keys"),
        rules.names("workers"),
    ),
    KeysLost: _ONLY_KEYS,
    KeysLocated: (rules.name_lists("addresses"),),
    ScatterPlanned: (rules.name_lists("addresses"),),
    ScatterAccepted: (),
    EverywhereRan: (
        rules.equal("workers", "values", "failures"),
        rules.names("workers"),
        _failures,
    ),
    ClusterDescribed: (rules.name("scheduler"), _described),
    WorkersReady: (rules.not_negative("count"),),
    RequestRefused: (),
    KeysExplained: (_explanations,),
    KeysReplicated: (rules.counts("counts"),),
    KeysRebalanced: (rules.not_negative("moved", "nbytes"),),
    WorkersRetired: (rules.names("workers"),),
    ClusterEnds: (),
    SchedulerCalled: (),
    TasksListed: (
        rules.equal("addresses", "keys"),
        rules.names("addresses"),
        rules.key_lists("keys"),
    ),
    RunTasks: (
        rules.equal("functions", "labels", "blobs"),
        rules.equal("keys", "attempts", "priorities", "payloads"),
        rules.equal_or_empty("keys", "function_of", "wanted", "inputs"),
        rules.equal("input_keys", "input_attempts", "input_nbytes", "input_holders"),
        _run,
        rules.digests("functions"),
        rules.keys("keys", "input_keys"),
        rules.counts("attempts", "input_attempts", "input_nbytes"),
        rules.indices("function_of", "functions"),
        rules.index_lists("inputs", "input_keys"),
        rules.index_lists("input_holders", "addresses"),
        rules.names("labels", "addresses"),
        rules.not_negative("timeout_s"),
        rules.resources("resources"),
        rules.name("executor"),
    ),
    DropData: _KEYS_AND_ATTEMPTS,
    RecallTasks: _KEYS_AND_ATTEMPTS,
    AbandonTasks: _KEYS_AND_ATTEMPTS,
    DropFunctions: (rules.digests("digests"),),
    RunHere: (),
    CopyData: (
        rules.equal("keys", "attempts", "nbytes", "holders"),
        rules.keys("keys"),
        rules.counts("attempts", "nbytes"),
        rules.index_lists("holders", "addresses"),
        rules.names("addresses"),
    ),
    LeaveCluster: (),
    SecretChanged: (rules.name("secret"),),
    WorkerJoined: (
        rules.name("name"),
        rules.name("address"),
        rules.name("host"),
        rules.not_negative("pid", "threads", "memory_limit"),
        rules.resources("resources"),
        rules.counts_of_names("executors"),
        rules.name("calls_address"),
        rules.not_negative_if_given("leaves_in_s"),
    ),
    TasksDone: (
        rules.equal("keys", "attempts", "nbytes", "starts", "durations"),
        rules.equal_or_empty("keys", "values"),
        rules.keys("keys"),
        rules.counts("attempts", "nbytes"),
        rules.finite("starts"),
        rules.amounts("durations"),
    ),
    TasksFailed: (
        rules.equal("keys", "attempts", "starts", "durations", "failures"),
        rules.keys("keys"),
        rules.counts("attempts"),
        rules.finite("starts"),
        rules.amounts("durations"),
        _failures,
    ),
    TasksReturned: _KEYS_AND_ATTEMPTS,
    InputsMissing: (*_KEYS_AND_ATTEMPTS, rules.name("address")),
    ReplicasStored: _KEYS_AND_ATTEMPTS,
    HereRan: (_here_ran,),
    TasksBegun: _KEYS_AND_ATTEMPTS,
    TasksSeceded: _KEYS_AND_ATTEMPTS,
    TasksRejoined: _KEYS_AND_ATTEMPTS,
    TasksRescheduled: _KEYS_AND_ATTEMPTS,
    CopiesFailed: _KEYS_AND_ATTEMPTS,
    TasksInterrupted: (*_KEYS_AND_ATTEMPTS, rules.equal("keys", "outcomes")),
    WorkerPaused: (),
    WorkerLeaving: (),
    WorkerReport: (
        rules.not_negative("time_s", "memory_nbytes", "cpu_s", "held_nbytes", "running", "ready"),
        rules.not_negative("spilled_nbytes"),
    ),
    AcquireLocks: (
        rules.names("names"),
        rules.not_negative("request", "count", "attempt"),
        rules.key("task_key"),
    ),
    AcquireLeases: (
        rules.name("name"),
        rules.not_negative("request", "limit", "count", "attempt"),
        rules.key("task_key"),
    ),
    ReleaseGrant: (rules.not_negative("request", "token"),),
    WaitEvent: _COORDINATED,
    ChangeEvent: (rules.name("name"), rules.not_negative("request", "fence")),
    SetVariable: (
        rules.name("name"),
        rules.keys("keys"),
        rules.not_negative("request", "fence"),
    ),
    GetVariable: _COORDINATED,
    PutItem: (
        *_COORDINATED,
        rules.keys("keys"),
        rules.not_negative("capacity", "fence"),
    ),
    TakeItems: (*_COORDINATED, rules.not_negative("count_min", "count_max", "capacity")),
    CloseQueue: (rules.name("name"), rules.not_negative("request")),
    WaitBarrier: (*_COORDINATED, rules.not_negative("parties")),
    ChangeBarrier: (rules.name("name"), rules.not_negative("request")),
    LookAt: (rules.name("name"), rules.not_negative("request", "token")),
    WithdrawRequest: (rules.not_negative("request"),),
    ItemsReceived: (rules.not_negative("request"),),
    GrantGiven: (rules.not_negative("token"),),
    GrantsRevoked: (rules.counts("tokens"),),
    ItemsGiven: (rules.equal("values", "keys"), rules.key_lists("keys")),
    RequestDone: (),
    RequestDenied: (),
    StateTold: (),
    ActorSaved: (*_SAVED, rules.not_negative("serial")),
    CheckpointsKept: (
        *_KEYS_AND_ATTEMPTS,
        rules.equal("keys", "serials"),
        rules.counts("serials"),
    ),
    RestoreActor: _SAVED,
    ActorsPlaced: (
        rules.equal("keys", "attempts", "workers", "addresses", "callers", "saved_numbers"),
        rules.keys("keys"),
        rules.counts("attempts"),
        rules.names("workers", "addresses"),
        rules.name_lists("callers"),
        _placed,
    ),
    ActorsRestarting: (*_KEYS_AND_ATTEMPTS, rules.equal("keys", "reasons")),
    CallActors: (
        *_KEYS_AND_ATTEMPTS,
        rules.equal("keys", "numbers", "methods", "kinds", "payloads"),
        rules.counts("numbers"),
        rules.name("caller"),
        rules.names("methods"),
        _kinds,
    ),
    CancelCalls: (
        *_KEYS_AND_ATTEMPTS,
        rules.equal("keys", "numbers"),
        rules.counts("numbers"),
        rules.name("caller"),
    ),
    CallsEnded: (
        *_KEYS_AND_ATTEMPTS,
        rules.equal("keys", "numbers", "values", "failures", "saved"),
        rules.counts("numbers", "saved"),
        _failures,
    ),
    FetchData: (*_ONLY_KEYS, rules.name("source")),
    DataReply: (rules.equal("sizes", "attempts", "errors"), rules.size_lists("sizes"), _data_reply),
    **OBSERVING_TESTS,
    PeerBusy: (rules.name_lists("addresses"),),
    PutData: (rules.equal("keys", "sizes"), rules.keys("keys"), rules.size_lists("sizes")),
    DataStored: (rules.counts("nbytes"),),
}
