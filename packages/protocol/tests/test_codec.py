"""Messages come back as they were; what does not fit is refused, and the error names the field."""

from __future__ import annotations

import math
from typing import Any, get_args

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from hocket.core.errors import LocalProtocolError, RemoteProtocolError
from hocket.protocol import checks, codec, messages
from hocket.protocol.checks import KEY_LENGTH_MAX, NAME_LENGTH_MAX
from hocket.protocol.codec import can_speak, decoder_for, encode
from hocket.protocol.messages import (
    CallerToWorker,
    ClientToScheduler,
    ClusterDescribed,
    DataReply,
    DataStored,
    Denial,
    Events,
    EventsSeen,
    EverywhereRan,
    Explanation,
    Failure,
    FailureKind,
    FetchData,
    GraphNode,
    HereRan,
    InputsMissing,
    KeysScattered,
    LineLogged,
    ObserverToScheduler,
    PeerBusy,
    PlanScatter,
    Primitive,
    ProfileSampled,
    PutData,
    ReleaseKeys,
    RunTasks,
    SchedulerToClient,
    SchedulerToObserver,
    SchedulerToWorker,
    Snapshot,
    SubmitTasks,
    TaskDescription,
    TaskPlace,
    TasksDone,
    TasksErred,
    TasksFailed,
    TasksStored,
    WorkerDescription,
    WorkerJoined,
    WorkerReport,
    WorkerToCaller,
    WorkerToScheduler,
)
from hocket.protocol.messages.feed import KIND_OF, DeviceSampled, GpuSampled
from hocket.protocol.roles import Role

DIGEST = b"d" * 16
FAILURE = Failure(FailureKind.RAISED, "k", "ZeroDivisionError", b"pickle", "w", 3)
WORKER = WorkerDescription("w", "tcp://h:1", "h", 7, 2, 0, {"GPU": 1.0}, 3, 4, 5)
EXPLANATION = Explanation("k", "queued", "no worker", ["l"], ["w"], ["w"], ["it is full"])

LINE = LineLogged(1.5, "w", "INFO", "hocket", "text")
PROFILE = ProfileSampled(1.5, "w", 1.0, 3, ["f", "g;a.py;1"], [-1, 0], [3, 2])

#: (The last in which a message stands decodes its samples.)
DECODERS = {
    ObserverToScheduler: decoder_for(Role.OBSERVER, Role.SCHEDULER),
    SchedulerToObserver: decoder_for(Role.SCHEDULER, Role.OBSERVER),
    ClientToScheduler: decoder_for(Role.CLIENT, Role.SCHEDULER),
    SchedulerToClient: decoder_for(Role.SCHEDULER, Role.CLIENT),
    WorkerToScheduler: decoder_for(Role.WORKER, Role.SCHEDULER),
    SchedulerToWorker: decoder_for(Role.SCHEDULER, Role.WORKER),
    CallerToWorker: decoder_for(Role.CLIENT, Role.WORKER),
    WorkerToCaller: decoder_for(Role.WORKER, Role.CLIENT),
    FetchData | PutData: codec.data_request_decoder,
    DataReply | DataStored | PeerBusy: codec.data_reply_decoder,
}
DECODER_OF = {
    message: decoder
    for union, decoder in DECODERS.items()
    for message in get_args(union) or (union,)
}

#: Values for the fields of which a good one cannot be told from the type.
FITTING: dict[str, Any] = {
    "functions": [DIGEST],
    "labels": ["f"],
    "blobs": [None],
    "function": DIGEST,
    "digests": [DIGEST],
    "failures": [FAILURE, FAILURE],
    "workers": ["w", "v"],
    "resources": {"GPU": 0.5},
    "function_of": [0, 0],
    "dependencies": [[2], [0, 1]],
    "inputs": [[], [0, 1]],
    "input_holders": [[0], [1, 0]],
    "sizes": [[3, 0], [5]],
    "errors": ["", ""],
    "outcomes": [messages.CancelOutcome.GOES_ON, messages.CancelOutcome.ENDED],
    "priority": -5,
    "executors": {"threads": 2},
    "holders": [[0], [1, 0]],
    "explanations": [EXPLANATION, EXPLANATION],
    "demands": [messages.DemandDescription(3, 1.5, {"GPU": 1.0}, ["w"])],
    "events": [LINE, LINE],
    "samples": [messages.WorkerSampled(1.5, "w", 0.5, 7, 5)],
    "groups": [messages.GroupCounted(1.5, "g", waiting=2)],
    "clients": [messages.ClientCame(1.5, "c", 3)],
    "tasks": [TaskDescription("k", "g", "stored", 1, 5, ["w"], ["l"], 0)],
    "nodes": [GraphNode("k", "g", "stored", 1), GraphNode("", "g", "stored", 3)],
    "saved_numbers": [[3], []],
}


#: Values by the text of a field's type, the most special first.
OF_TYPE: dict[str, Any] = {
    "list[Annotated[str": ["k", "l"],
    "list[typing.Annotated[str": ["k", "l"],
    "list[typing.Annotated[int": [1, 0],
    "list[typing.Annotated[float": [1.5, 0.0],
    "list[typing.Annotated[bytes": [b"p", b"q"],
    "Annotated[str": "text",
    "Annotated[int": 1,
    "Annotated[float": 1.5,
    "Annotated[bytes": b"value",
    "list[list[str]]": [["tcp://h:1"], []],
    "list[str]": ["k", "l"],
    "list[bytes": [b"p", b"q"],
    "list[float]": [1.5, 0.0],
    "list[int]": [1, 0],
    "float | None": 1.5,
    "Failure | None": FAILURE,
    "bytes": b"value",
    "Primitive": Primitive.LOCK,
    "Denial": Denial.LIMIT,
    "TaskPlace": TaskPlace.HELD,
    "'int'": 1,
    "'float'": 1.5,
    "'str'": "text",
    "'bool'": True,
}


def sample(cls: type[Struct]) -> Struct:
    """Return a message that fits, with two rows."""
    values = {}
    for field in msgspec.structs.fields(cls):
        kind = str(field.type).replace("hocket.protocol.messages.values.", "")
        fitting = [value for text, value in OF_TYPE.items() if text in kind]
        values[field.name] = FITTING[field.name] if field.name in FITTING else fitting[0]
    if cls is SubmitTasks:
        values["keys"] = ["k", "l", "m"]
    if cls is ClusterDescribed:
        values["workers"] = [WORKER]
    if cls is Snapshot:
        values["workers"] = [messages.WorkerCame(1.5, "w", "tcp://h:1", "h", 7, 2)]
    if cls is messages.EventsListed:
        values["events"] = [messages.UserEvent(1.5, "t", "c", "", b"payload")]
    return cls(**values)


SAMPLES = {cls: sample(cls) for cls in DECODER_OF}


def refused(message: Struct, field: str) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        DECODER_OF[type(message)].decode(encode([message]))
    assert f"{type(message).__name__}.{field} does not fit" in caught.value.reason
    return caught.value


def with_(message: Struct, **changes: Any) -> Struct:
    return msgspec.structs.replace(message, **changes)


def test_every_message_has_its_direction_and_its_tests():
    known = (
        {
            cls
            for cls in vars(messages).values()
            if isinstance(cls, type) and issubclass(cls, Struct)
        }
        - {Explanation, Failure, GraphNode, TaskDescription, WorkerDescription}
        - {messages.DemandDescription}
        - set(KIND_OF)
    )
    assert set(DECODER_OF) == known
    assert set(checks._TESTS) == known


@pytest.mark.parametrize("cls", SAMPLES, ids=lambda cls: cls.__name__)
def test_a_message_comes_back(cls):
    assert DECODER_OF[cls].decode(encode([SAMPLES[cls]])) == [SAMPLES[cls]]


@pytest.mark.parametrize("cls", SAMPLES, ids=lambda cls: cls.__name__)
def test_the_wire_is_plain_messagepack(cls):
    ((tag, *fields),) = msgpack.unpackb(encode([SAMPLES[cls]]))
    assert tag == cls.__struct_config__.tag
    assert fields == msgspec.to_builtins(SAMPLES[cls], builtin_types=(bytes,))[1:]
    # ... and of the other library's making.
    assert DECODER_OF[cls].decode(msgpack.packb([[tag, *fields]])) == [SAMPLES[cls]]


@given(st.lists(st.sampled_from(get_args(ClientToScheduler)), max_size=8))
def test_a_batch_keeps_its_order(classes):
    batch = [SAMPLES[cls] for cls in classes]
    assert DECODERS[ClientToScheduler].decode(encode(batch)) == batch


@pytest.mark.parametrize("cls", SAMPLES, ids=lambda cls: cls.__name__)
def test_a_field_of_another_type_is_named(cls):
    for index, field in enumerate(msgspec.structs.fields(cls)):
        fields = msgspec.to_builtins(SAMPLES[cls], builtin_types=(bytes,))
        fields[index + 1] = {1: 2}
        with pytest.raises(RemoteProtocolError) as caught:
            DECODER_OF[cls].decode(msgspec.msgpack.encode([fields]))
        assert f"{cls.__name__}.{field.name} does not fit" in caught.value.reason


@pytest.mark.parametrize("cls", SAMPLES, ids=lambda cls: cls.__name__)
def test_a_message_that_ends_early_is_named(cls):
    required = [field for field in msgspec.structs.fields(cls) if field.required]
    fields = msgspec.to_builtins(SAMPLES[cls], builtin_types=(bytes,))[: len(required)]
    with pytest.raises(RemoteProtocolError, match=f"{cls.__name__} does not fit"):
        DECODER_OF[cls].decode(msgspec.msgpack.encode([SAMPLES[cls], fields]))


@pytest.mark.parametrize("cls", SAMPLES, ids=lambda cls: cls.__name__)
def test_a_message_of_the_other_direction_is_refused(cls):
    ours = DECODER_OF[cls]
    for union, decoder in DECODERS.items():
        tags = {each.__struct_config__.tag for each in get_args(union) or (union,)}
        if decoder is not ours and cls.__struct_config__.tag not in tags:
            with pytest.raises(RemoteProtocolError, match="none that may come here"):
                decoder.decode(encode([SAMPLES[cls]]))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x01",
        b"\x80",
        b"\x91",
        b"\x91\x01",
        b"\x91\x90",
        b"\x91\x91\xc0",
        b"\x91\x91\xa1a",
        b"\x91\x91\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\x91\x92\x02\xdd\xff\xff\xff\xff",
        b"\x91\x92\x02\x91\xa2\xff\xff",
        b"\x91" * 100_000,
        b"\x91\x92\x02" + b"\x91" * 100_000,
        msgpack.packb([]) + b"\x00",
    ],
)
def test_nonsense_is_refused(payload):
    with pytest.raises(RemoteProtocolError):
        DECODERS[ClientToScheduler].decode(payload)


@given(st.sampled_from(list(SAMPLES)), st.data())
def test_a_damaged_message_is_refused_or_fits(cls, data):
    payload = bytearray(encode([SAMPLES[cls]]))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place] = data.draw(st.integers(0, 255))
    try:
        decoded = DECODER_OF[cls].decode(payload)
    except RemoteProtocolError:
        return
    for message in decoded:
        checks.check(message)


@given(st.binary(max_size=100))
def test_garbage_raises_nothing_but_our_error(payload):
    for decoder in DECODERS.values():
        try:
            decoded = decoder.decode(payload)
        except RemoteProtocolError:
            continue
        assert isinstance(decoded, list)


#: Columns that all have one row per task or key.
EQUAL = [
    (SubmitTasks, ["labels", "blobs"]),
    (KeysScattered, ["nbytes", "addresses"]),
    (TasksStored, ["nbytes", "values"]),
    (TasksErred, ["failures"]),
    (EverywhereRan, ["values", "failures"]),
    (RunTasks, ["labels", "blobs", "attempts", "priorities", "payloads"]),
    (RunTasks, ["input_attempts", "input_nbytes", "input_holders"]),
    (messages.DropData, ["attempts"]),
    (messages.RecallTasks, ["attempts"]),
    (messages.AbandonTasks, ["attempts"]),
    (TasksDone, ["attempts", "nbytes", "starts", "durations"]),
    (TasksFailed, ["attempts", "starts", "durations", "failures"]),
    (messages.TasksReturned, ["attempts"]),
    (InputsMissing, ["attempts"]),
    (messages.ReplicasStored, ["attempts"]),
    (DataReply, ["attempts", "errors"]),
    (PutData, ["sizes"]),
]


@pytest.mark.parametrize(("cls", "fields"), EQUAL, ids=lambda value: getattr(value, "__name__", ""))
def test_columns_of_unequal_length_are_refused(cls, fields):
    for field in fields:
        column = getattr(SAMPLES[cls], field)
        refused(with_(SAMPLES[cls], **{field: column[:-1]}), field)
        refused(with_(SAMPLES[cls], **{field: [*column, column[0]]}), field)


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (SubmitTasks, ["function_of", "dependencies", "ranks"]),
        (RunTasks, ["function_of", "wanted", "inputs"]),
        (TasksDone, ["values"]),
    ],
)
def test_columns_that_may_be_empty_may_not_be_short(cls, fields):
    for field in fields:
        column = getattr(SAMPLES[cls], field)
        empty = with_(SAMPLES[cls], **{field: []})
        assert DECODER_OF[cls].decode(encode([empty])) == [empty]
        refused(with_(SAMPLES[cls], **{field: column[:1]}), field)


@pytest.mark.parametrize(
    ("cls", "field", "bad"),
    [
        (SubmitTasks, "function_of", [0, 1]),
        (SubmitTasks, "function_of", [0, -1]),
        (SubmitTasks, "dependencies", [[3], []]),
        (SubmitTasks, "dependencies", [[0, -1], []]),
        (SubmitTasks, "wanted", [2]),
        (SubmitTasks, "wanted", [-1]),
        (SubmitTasks, "priority", 32768),
        (SubmitTasks, "priority", -32769),
        (SubmitTasks, "retries", -1),
        (SubmitTasks, "functions", [b"short"]),
        (SubmitTasks, "resources", {"GPU": -1.0}),
        (SubmitTasks, "resources", {"GPU": math.nan}),
        (SubmitTasks, "resources", {"GPU": math.inf}),
        (SubmitTasks, "resources", {"G" * (NAME_LENGTH_MAX + 1): 1.0}),
        (SubmitTasks, "workers", ["w" * (NAME_LENGTH_MAX + 1)]),
        (RunTasks, "function_of", [1, 0]),
        (RunTasks, "inputs", [[2], []]),
        (RunTasks, "input_holders", [[], [2]]),
        (RunTasks, "attempts", [1, -1]),
        (RunTasks, "wanted", [2, 0]),
        (RunTasks, "input_keys", ["k" * (KEY_LENGTH_MAX + 1), "l"]),
        (TasksDone, "attempts", [0, -1]),
        (TasksDone, "nbytes", [-1, 0]),
        (TasksDone, "durations", [0.0, math.nan]),
        (TasksDone, "durations", [0.0, -0.1]),
        (TasksDone, "starts", [math.inf, 0.0]),
        (TasksDone, "keys", ["k", "l" * (KEY_LENGTH_MAX + 1)]),
        (TasksFailed, "failures", [FAILURE, with_(FAILURE, attempt=-1)]),
        (TasksErred, "failures", [FAILURE, with_(FAILURE, key="k" * (KEY_LENGTH_MAX + 1))]),
        (HereRan, "failure", with_(FAILURE, worker="w" * (NAME_LENGTH_MAX + 1))),
        (ReleaseKeys, "keys", ["k" * (KEY_LENGTH_MAX + 1)]),
        (PlanScatter, "nbytes", [-1]),
        (KeysScattered, "addresses", [["a" * (NAME_LENGTH_MAX + 1)], []]),
        (InputsMissing, "address", "a" * (NAME_LENGTH_MAX + 1)),
        (WorkerJoined, "threads", -1),
        (WorkerReport, "cpu_s", math.nan),
        (messages.WaitForWorkers, "count", -1),
        (DataReply, "sizes", [[-1], [1]]),
        (DataReply, "sizes", [[], [1]]),
        (DataReply, "attempts", [-2, 0]),
        (PutData, "sizes", [[1], [-1]]),
        (DataStored, "nbytes", [-1]),
    ],
)
def test_values_out_of_range_are_refused(cls, field, bad):
    refused(with_(SAMPLES[cls], **{field: bad}), field)


def test_there_are_no_more_tasks_than_keys_and_none_without_a_function():
    refused(with_(SAMPLES[SubmitTasks], keys=["k"], dependencies=[]), "payloads")
    nothing = {"functions": [], "labels": [], "blobs": [], "function_of": []}
    refused(with_(SAMPLES[SubmitTasks], **nothing), "functions")
    refused(with_(SAMPLES[RunTasks], **nothing), "functions")


def test_a_task_may_be_wanted_by_all_or_by_nobody():
    for wanted in (None, []):
        message = with_(SAMPLES[SubmitTasks], wanted=wanted)
        assert DECODER_OF[SubmitTasks].decode(encode([message])) == [message]


def test_a_failure_may_be_missing():
    for message in (HereRan(1, b"value", None), EverywhereRan(1, ["w"], [b"v"], [None])):
        assert DECODER_OF[type(message)].decode(encode([message])) == [message]


def test_a_value_that_is_not_there_has_no_size():
    reply = DataReply(sizes=[None, [3]], attempts=[-1, 2], errors=["it is gone", ""])
    assert DECODER_OF[DataReply].decode(encode([reply])) == [reply]
    refused(with_(reply, sizes=[[1], [3]]), "sizes")


def test_a_described_worker_is_checked_as_well():
    bad = with_(WORKER, threads=-1)
    with pytest.raises(RemoteProtocolError, match=r"WorkerDescription\.threads"):
        DECODER_OF[ClusterDescribed].decode(
            encode([with_(SAMPLES[ClusterDescribed], workers=[bad])])
        )


@pytest.mark.parametrize(
    "change",
    [
        {"frames": ["f"]},
        {"counts": [1, 2, 3]},
        {"parents": [-1, 1]},
        {"parents": [-2, 0]},
    ],
)
def test_a_profile_that_is_no_tree_is_refused(change):
    for cls in (Events, EventsSeen):
        refused(with_(SAMPLES[cls], events=[LINE, with_(PROFILE, **change)]), "events")
        assert DECODER_OF[cls].decode(encode([with_(SAMPLES[cls], events=[PROFILE])]))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.5])
def test_numbers_of_events_are_bounded(bad):
    sampled = messages.WorkerSampled(1.5, "w", 0.5, 7, 5)
    for name in ("time_s", "cpu", "loop_lag_s"):
        refused(with_(SAMPLES[Events], events=[with_(sampled, **{name: bad})]), "events")
    refused(with_(SAMPLES[Events], events=[with_(sampled, running=-1)]), "events")
    gpu, device = GpuSampled("g", busy_part=bad), DeviceSampled("GPU", 0, "", bad)
    for change in ({"gpus": [gpu]}, {"devices": [device]}, {"reserved": {"GPU": bad}}):
        refused(with_(SAMPLES[Events], events=[with_(sampled, **change)]), "events")
    assert DECODER_OF[Events].decode(encode([with_(SAMPLES[Events], events=[sampled])]))


def test_devices_of_a_sample_are_bounded():
    sampled = messages.WorkerSampled(1.5, "w", 0.5, 7, 5)
    device, gpu = DeviceSampled("GPU", 0, "uuid", 1.0, ["k"]), GpuSampled("g")
    full = with_(sampled, devices=[device], gpus=[gpu], reserved={"GPU": 1.0})
    for change in (
        {"devices": [device] * 257},
        {"gpus": [gpu] * 257},
        {"devices": [with_(device, keys=["k"] * 17)]},
    ):
        refused(with_(SAMPLES[Events], events=[with_(full, **change)]), "events")
    message = with_(SAMPLES[Events], events=[full])
    assert DECODER_OF[Events].decode(encode([message])) == [message]


def test_what_cannot_be_encoded_is_our_bug():
    with pytest.raises(LocalProtocolError, match="ReleaseKeys"):
        encode([ReleaseKeys([object()])])  # type: ignore[list-item]
    with pytest.raises(LocalProtocolError):
        encode([ReleaseKeys([1 << 100])])  # type: ignore[list-item]


def test_who_may_speak_to_whom():
    spoken = {(a, b) for a in Role for b in Role if can_speak(a, b)}
    assert spoken == {
        (Role.CLIENT, Role.SCHEDULER),
        (Role.SCHEDULER, Role.CLIENT),
        (Role.WORKER, Role.SCHEDULER),
        (Role.SCHEDULER, Role.WORKER),
        (Role.CLIENT, Role.WORKER),
        (Role.WORKER, Role.CLIENT),
        (Role.OBSERVER, Role.SCHEDULER),
        (Role.SCHEDULER, Role.OBSERVER),
    }
    with pytest.raises(LocalProtocolError, match="a worker has nothing to say to a worker"):
        decoder_for(Role.WORKER, Role.WORKER)
