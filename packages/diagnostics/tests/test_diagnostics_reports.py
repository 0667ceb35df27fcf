"""Reports and recordings: one file that needs nothing else; pages of what is over."""

from __future__ import annotations

import asyncio
import re

import pytest
from made_up_feed import MadeUpCluster

from hocket.core.errors import RemoteProtocolError
from hocket.diagnostics.command import main
from hocket.diagnostics.report import write_report
from hocket.diagnostics.report.recorded_watching import RecordedWatch
from hocket.protocol.feed.recording import MAGIC, encode_frame
from hocket.protocol.messages import Events


@pytest.fixture
def recording(tmp_path):
    cluster = MadeUpCluster()
    path = tmp_path / "feed.rec"
    with path.open("wb") as file:
        file.write(MAGIC + encode_frame([cluster.snapshot()]))
        for number in range(10):
            file.write(encode_frame([Events(1, number, number + 1, 0, cluster.step())]))
    return path


def test_a_report_is_one_file_that_asks_for_nothing(recording, tmp_path):
    report = tmp_path / "report.html"
    write_report(recording, report, {"cluster": "<b>ours</b>"})
    text = report.read_text(encoding="utf-8")
    assert len(text) > 1_000_000  # Bokeh's core is in it.
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "&lt;b&gt;ours&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    for title in ("Task stream", "Phases", "Threads", "Bandwidth between workers"):
        assert title in page


def test_a_recording_is_watched_as_a_cluster_is(recording):
    async def run():
        watch = RecordedWatch(recording)
        await watch.need(0)
        assert watch.state == "recorded: feed.rec"
        assert watch.model.rings["tasks"].end > 10
        assert len(watch.model.alive) == 3
        await watch.close()

    asyncio.run(run())


def test_an_end_that_is_torn_off_is_left_out(recording):
    data = recording.read_bytes()
    recording.write_bytes(data[:-50])
    assert RecordedWatch(recording).model.rings["tasks"].end > 5


def test_what_is_no_recording_is_refused(tmp_path, capsys):
    path = tmp_path / "other"
    path.write_bytes(b"something else, and long enough to be looked at")
    with pytest.raises(RemoteProtocolError):
        RecordedWatch(path)
    assert main([str(path), "--port", "0"]) == 2
    assert "no recording" in capsys.readouterr().err
    assert main([str(tmp_path / "missing"), "--port", "0"]) == 2
