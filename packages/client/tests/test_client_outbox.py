"""What waits to be sent: order, single calls made batches, functions sent once."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from hocket.client.batches import TaskBatch, TaskOptions
from hocket.client.outbox import Outbox, Pause
from hocket.protocol.messages import DescribeCluster, ForgetFunctions, ReleaseKeys, SubmitTasks
from hocket.protocol.serialize import FunctionPickle

FUNCTIONS = [FunctionPickle(name * 16, name * 10, name.decode(), []) for name in (b"f", b"g")]
#: The last is equal to the one before, and another object.
OPTIONS = [
    TaskOptions(),
    TaskOptions(priority=1),
    TaskOptions(retry_delay_s=0.5, executor="loop", resources={"GPU": 1.0}),
    TaskOptions(retry_delay_s=0.5, executor="loop", resources={"GPU": 1.0}),
]


def options_of(message: SubmitTasks) -> TaskOptions:
    return TaskOptions(
        message.priority,
        message.retries,
        tuple(message.workers),
        message.allow_other_workers,
        message.resources,
        message.retry_delay_s,
        message.executor,
    )


def taken(outbox: Outbox) -> list[Any]:
    return [message for frame in outbox.take_frames(10**9) for message in frame]


def test_single_calls_become_one_batch() -> None:
    outbox = Outbox(10)
    outbox.add_call("a", FUNCTIONS[0], b"1", [])
    outbox.add_call("b", FUNCTIONS[1], b"2", ["x", "a"])
    outbox.add_call("c", FUNCTIONS[0], b"3", [])
    (message,) = taken(outbox)
    assert message.keys == ["a", "b", "c", "x"]
    assert message.labels == ["f", "g"]
    assert message.function_of == [0, 1, 0]
    assert message.payloads == [b"1", b"2", b"3"]
    assert message.dependencies == [[], [3, 0], []]
    assert not outbox
    outbox.add_call("d", FUNCTIONS[0], b"4", [])
    (message,) = taken(outbox)
    assert (message.keys, message.blobs, message.function_of) == (["d"], [None], [])


def test_calls_keep_their_place_among_messages_and_their_options() -> None:
    outbox = Outbox(10)
    outbox.add_call("a", FUNCTIONS[0], b"1", [], OPTIONS[0])
    outbox.add(DescribeCluster(1))
    outbox.add_call("b", FUNCTIONS[0], b"2", [], OPTIONS[0])
    outbox.add_call("c", FUNCTIONS[0], b"3", [], OPTIONS[1])
    outbox.add_batch(TaskBatch([FUNCTIONS[0]], ["d"], [b"4"]))
    outbox.add_call("e", FUNCTIONS[0], b"5", [], OPTIONS[1])
    messages = taken(outbox)
    assert [getattr(one, "keys", None) for one in messages] == [
        ["a"],
        None,
        ["b"],
        ["c"],
        ["d"],
        ["e"],
    ]
    assert [one.priority for one in messages if type(one) is SubmitTasks] == [0, 0, 1, 0, 1]


def test_a_batch_of_calls_has_an_end() -> None:
    outbox = Outbox(10)
    for number in range(2500):
        outbox.add_call(str(number), FUNCTIONS[0], b"", [])
    assert [len(message.keys) for message in taken(outbox)] == [1000, 1000, 500]
    for number in range(5):
        outbox.add_call(str(number), FUNCTIONS[0], b"x" * 400_000, [])
    assert [len(message.keys) for message in taken(outbox)] == [2, 2, 1]


def test_calls_with_equal_options_are_one_batch() -> None:
    outbox = Outbox(10)
    for key, options in zip("abcde", [OPTIONS[row] for row in (2, 3, 0, 3, 2)], strict=True):
        outbox.add_call(key, FUNCTIONS[0], b"", [], options)
    messages = taken(outbox)
    assert [one.keys for one in messages] == [["a", "b"], ["c"], ["d", "e"]]
    assert [options_of(one) for one in messages] == [OPTIONS[2], OPTIONS[0], OPTIONS[2]]


calls = st.tuples(
    st.just("call"),
    st.sampled_from(FUNCTIONS),
    st.lists(st.sampled_from(["x", "y", "k0", "k1"]), unique=True, max_size=2),
    st.sampled_from(OPTIONS),
)
others = st.tuples(st.just("message"))
batches = st.tuples(st.just("batch"), st.sampled_from(FUNCTIONS))


@given(
    entries=st.lists(calls | others | batches, max_size=30),
    takes=st.sets(st.integers(0, 30)),
    known_max=st.integers(1, 3),
    frame_nbytes_max=st.integers(1, 50),
)
def test_what_goes_in_comes_out_in_order(
    entries: list[Any], takes: set[int], known_max: int, frame_nbytes_max: int
) -> None:
    outbox = Outbox(known_max)
    numbers = itertools.count()
    expected: list[Any] = []
    messages: list[Struct] = []
    for step, entry in enumerate(entries):
        if step in takes:
            messages += [one for frame in outbox.take_frames(frame_nbytes_max) for one in frame]
        key = f"k{next(numbers)}"
        if entry[0] == "call":
            outbox.add_call(key, entry[1], key.encode(), entry[2], entry[3])
            expected.append((key, entry[1].digest, entry[2], entry[3]))
        elif entry[0] == "batch":
            outbox.add_batch(TaskBatch([entry[1]], [key], [key.encode()]))
            expected.append((key, entry[1].digest, [], OPTIONS[0]))
        else:
            outbox.add(DescribeCluster(step))
            expected.append(step)
    messages += [one for frame in outbox.take_frames(frame_nbytes_max) for one in frame]
    seen: list[Any] = []
    known: set[bytes] = set()
    for message in messages:
        if isinstance(message, ForgetFunctions):
            assert set(message.digests) <= known
            known -= set(message.digests)
        elif isinstance(message, DescribeCluster):
            seen.append(message.request)
        else:
            assert isinstance(message, SubmitTasks)
            for digest, blob in zip(message.functions, message.blobs, strict=True):
                assert (blob is None) == (digest in known)
                known.add(digest)
            for row, payload in enumerate(message.payloads):
                function = message.function_of[row] if message.function_of else 0
                needed = message.dependencies[row] if message.dependencies else []
                assert payload == message.keys[row].encode()
                seen.append(
                    (
                        message.keys[row],
                        message.functions[function],
                        [message.keys[one] for one in needed],
                        options_of(message),
                    )
                )
    assert seen == expected


def until_a_pause(added: list[str | Pause]) -> list[str]:
    """Return what comes before the first pause that is not over."""
    ours = itertools.takewhile(lambda one: isinstance(one, str) or one.over, added)
    return [one for one in ours if isinstance(one, str)]


@given(st.lists(st.sampled_from(["call", "message", "pause", "end", "take"]), max_size=40))
def test_nothing_passes_a_pause_and_the_order_holds(steps: list[str]) -> None:
    outbox = Outbox(10)
    numbers = itertools.count()
    #: What was added, in order; what is a pause stands for itself.
    added: list[str | Pause] = []
    sent: list[str] = []

    for step in steps:
        before = outbox.added_count
        if step == "call":
            added.append(f"k{next(numbers)}")
            outbox.add_call(str(added[-1]), FUNCTIONS[0], b"", [])
        elif step == "message":
            added.append(f"k{next(numbers)}")
            outbox.add(ReleaseKeys([str(added[-1])]))
            assert outbox.added_count > before
        elif step == "pause":
            added.append(pause := Pause())
            outbox.add_pause(pause)
        elif step == "take":
            sent += [key for message in taken(outbox) for key in message.keys]
            assert sent == until_a_pause(added)
        elif pauses := [one for one in added if isinstance(one, Pause) and not one.over]:
            pauses[-1].over = True
    for one in added:
        if isinstance(one, Pause):
            one.over = True
    sent += [key for message in taken(outbox) for key in message.keys]
    assert sent == until_a_pause(added)
    assert not outbox


def test_a_count_tells_whether_anything_comes_after_a_question() -> None:
    outbox = Outbox(10)
    outbox.add_call("a", FUNCTIONS[0], b"", [])
    outbox.add(DescribeCluster(1))
    asked_count = outbox.added_count
    outbox.add_pause(Pause())
    assert outbox.added_count == asked_count
    outbox.add_call("b", FUNCTIONS[0], b"", [])
    assert outbox.added_count != asked_count
