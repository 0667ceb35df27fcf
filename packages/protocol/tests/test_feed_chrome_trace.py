"""A feed as a trace: what the Trace Event Format demands, whatever the events."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hocket.protocol.feed.chrome_trace import trace_bytes
from hocket.protocol.messages.feed import (
    ClientCame,
    RecallStep,
    SchedulerSampled,
    SpillDone,
    TaskEnded,
    TaskMoved,
    TaskOutcome,
    TaskRecalled,
    TransferDone,
    UserEvent,
    WorkerGone,
    WorkerPauseChanged,
    WorkerSampled,
)

TIMES = st.floats(0, 2e9)
SPANS = st.floats(0, 1e4)
WORKERS = st.sampled_from(["w1", "w2"])
EVENTS = st.one_of(
    st.builds(
        TaskEnded,
        key=st.just("k"),
        attempt=st.integers(0, 9),
        group=st.text(),
        worker=WORKERS,
        outcome=st.sampled_from(TaskOutcome),
        start_s=TIMES,
        running_s=SPANS,
        nbytes=st.integers(0, 9),
        lane=st.integers(-1, 5000),
        executor=st.sampled_from(["threads", "loop"]),
        fetching_s=SPANS,
        ready_s=SPANS,
        deserialising_s=SPANS,
        storing_s=SPANS,
        error=st.sampled_from(["", "ValueError: no"]),
    ),
    st.builds(
        TransferDone,
        TIMES,
        SPANS,
        st.integers(0, 9),
        WORKERS,
        WORKERS | st.just(""),
        st.just(1),
        st.just("k"),
    ),
    st.builds(SpillDone, TIMES, SPANS, st.just(8), WORKERS, st.just("k"), st.booleans()),
    st.builds(WorkerSampled, TIMES, WORKERS, SPANS, st.integers(0, 99), st.integers(0, 99)),
    st.builds(SchedulerSampled, TIMES, SPANS, st.integers(0, 99)),
    st.builds(WorkerGone, TIMES, WORKERS, st.text()),
    st.builds(WorkerPauseChanged, TIMES, WORKERS, st.booleans()),
    st.builds(UserEvent, TIMES, st.text(), st.just("c"), st.just("k"), st.just(b"\x01")),
    st.builds(
        TaskRecalled,
        TIMES,
        st.just("k"),
        st.just(1),
        st.just("f"),
        WORKERS,
        st.just(RecallStep.ASKED),
    ),
    st.builds(ClientCame, TIMES, st.just("c"), st.just(1)),
    st.builds(TaskMoved, TIMES, st.just("k"), st.just(1), st.just("f"), st.just("a"), st.just("b")),
)

#: What each phase of the format must have beside name, ph, pid and tid: "Trace Event Format",
#: sections "Duration/Complete/Instant/Counter/Async/Metadata Events".
DEMANDED = {
    "X": {"ts": float, "dur": float, "cat": str},
    "i": {"ts": float, "s": str},
    "C": {"ts": float, "args": dict},
    "b": {"ts": float, "cat": str, "id": str},
    "e": {"ts": float, "cat": str, "id": str},
    "M": {"args": dict},
}
METADATA = {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}


@given(st.lists(EVENTS, max_size=20))
def test_each_row_is_as_the_format_has_it(events):
    trace = json.loads(trace_bytes(events))
    assert set(trace) == {"traceEvents", "displayTimeUnit"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    named, used = set(), set()
    open_ids = []
    for row in trace["traceEvents"]:
        assert isinstance(row["name"], str)
        assert isinstance(row["pid"], int)
        assert isinstance(row["tid"], int)
        for field, kind in DEMANDED[row["ph"]].items():
            assert isinstance(row[field], (int, float) if kind is float else kind), row
        assert row.get("ts", 0) >= 0
        assert row.get("dur", 0) >= 0
        if row["ph"] == "M":
            assert row["name"] in METADATA
            if row["name"] == "process_name":
                named.add(row["pid"])
        else:
            used.add(row["pid"])
        if row["ph"] == "i":
            assert row["s"] in "gpt"
        if row["ph"] == "C":
            assert all(isinstance(value, int | float) for value in row["args"].values())
        if row["ph"] == "b":
            open_ids.append((row["cat"], row["id"]))
        if row["ph"] == "e":
            open_ids.remove((row["cat"], row["id"]))
    assert used <= named
    assert not open_ids


def transfer_of(begin, span):
    return TransferDone(begin, span, 1, "w2", "w1", 1, "k")


def unknown_of(begin, span):
    return TaskEnded("k", 1, "f", "w1", TaskOutcome.STORED, begin, span, 8, -1)


@given(st.sampled_from([transfer_of, unknown_of]), st.lists(st.tuples(TIMES, SPANS), max_size=20))
def test_what_has_no_thread_gets_lanes_on_which_nothing_overlaps(make, spans):
    events = [make(begin, span) for begin, span in spans]
    rows = [row for row in json.loads(trace_bytes(events))["traceEvents"] if row["ph"] == "X"]
    lanes: dict[int, float] = {}
    for row in rows:
        assert row["ts"] >= lanes.get(row["tid"], 0.0) - 0.01
        lanes[row["tid"]] = row["ts"] + row["dur"]
    assert len(rows) == len(spans)


def test_phases_lie_inside_of_their_task():
    event = TaskEnded("k", 1, "f", "w", TaskOutcome.FAILED, 10.0, 2.0, 8, 3)
    event.deserialising_s, event.storing_s, event.fetching_s, event.ready_s = 0.5, 0.25, 4.0, 1.0
    rows = json.loads(trace_bytes([event]))["traceEvents"]
    (task,) = [row for row in rows if row.get("cat") == "task"]
    assert (task["ts"], task["dur"], task["cname"]) == (5e6, 2.75e6, "terrible")
    phases = [(row["name"], row["ts"], row["dur"]) for row in rows if row.get("cat") == "phase"]
    assert phases == [
        ("deserialising", 5e6, 0.5e6),
        ("running", 5.5e6, 2e6),
        ("storing", 7.5e6, 0.25e6),
    ]
    fetching = [row["ts"] for row in rows if row.get("cat") == "fetching"]
    assert fetching == [0.0, 4e6]
