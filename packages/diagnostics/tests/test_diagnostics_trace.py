"""A recording becomes a trace; what is no recording is told of."""

from __future__ import annotations

import json

from hocket.diagnostics.trace import events_of, main
from hocket.protocol.feed.recording import MAGIC, encode_frame
from hocket.protocol.messages import Events, Snapshot
from hocket.protocol.messages.feed import TaskEnded, TaskOutcome


def test_a_recording_becomes_a_trace(tmp_path, capsys):
    snapshot = Snapshot(1, 0, 0, 1.5, "tcp://h:1", [], [], [], [])
    ended = TaskEnded("k", 1, "f", "w", TaskOutcome.STORED, 10.0, 2.0, 8, 0)
    batch = Events(1, 0, 1, 0, [ended])
    assert list(events_of([snapshot, batch])) == [ended]
    recording, trace = tmp_path / "feed.rec", tmp_path / "trace.json"
    recording.write_bytes(MAGIC + encode_frame([snapshot]) + encode_frame([batch]) + b"\x00\x00")
    assert main([str(recording), str(trace)]) == 0
    rows = json.loads(trace.read_bytes())["traceEvents"]
    assert [row["name"] for row in rows if row["ph"] == "X"] == ["f"]
    recording.write_bytes(b"nothing of the kind")
    assert main([str(recording), str(trace)]) == 2
    assert "no recording" in capsys.readouterr().err
