"""The task stream after an hour: what it keeps, and what it costs to look back.

    python benchmarks/task_stream.py [--rate 5000] [--seconds 3600] [--lanes 8]

So many tasks a second are made up, of some functions in turn in so many lanes. Told are the time to
take in one, what the levels hold, and for windows at the beginning of it all and near its end: the
bars that are sent, their bytes, and the processor time of the server for one redraw.
"""

from __future__ import annotations

import argparse
import json
import random
import time

import psutil
from bokeh.document import Document
from bokeh.models import Range1d

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.plots.task_stream import TaskStream
from hocket.diagnostics.theme import LIGHT
from hocket.diagnostics.view import View
from hocket.protocol.messages.feed import TaskEnded, TaskOutcome, WorkerCame

BEGAN_S = 1.7e9


def fill(model: ClusterModel, rate: float, seconds: float, lanes: int) -> float:
    """Have a model see so much; return the processor time for a task, in seconds."""
    draw = random.Random(1)  # noqa: S311 - no secrets
    groups = [f"function-{number}" for number in range(9)]
    model.fold([WorkerCame(BEGAN_S, f"w{n}", f"tcp://h:{n}", "h", n, 4) for n in range(lanes // 4)])
    busy_s, count = 0.0, 0
    step_s = lanes / rate
    for second in range(int(seconds)):
        events = []
        for lane in range(lanes):
            group = draw.choice(groups)
            start_s = BEGAN_S + second
            while start_s < BEGAN_S + second + 1:
                if draw.random() < 0.1:
                    group = draw.choice(groups)
                running_s = step_s * draw.random() * 1.6
                events.append(
                    TaskEnded(
                        f"{group}-{count}",
                        count,
                        group,
                        f"w{lane // 4}",
                        TaskOutcome.STORED,
                        start_s,
                        running_s,
                        100,
                        lane % 4,
                    )
                )
                start_s += max(running_s, step_s)
                count += 1
        began_s = time.process_time()
        model.fold(events)
        busy_s += time.process_time() - began_s
    print(json.dumps({"tasks": count, "us_per_task": round(1e6 * busy_s / count, 2)}), flush=True)
    return busy_s / count


def look(stream: TaskStream, range_: Range1d, begin_s: float, window_s: float, note: str) -> None:
    """Pan to a window; print what that took."""
    document = stream.figure.document
    patches: list[int] = []

    def on_patch(event: object) -> None:
        del event
        patches.append(1)

    document.on_change(on_patch)
    began_s = time.process_time()
    range_.update(start=begin_s * 1000, end=(begin_s + window_s) * 1000)
    stream._update()  # noqa: SLF001 - as the view does with each tick
    spent_s = time.process_time() - began_s
    document.remove_on_change(on_patch)
    sent = stream._closed.data  # noqa: SLF001
    facts = {
        "window_s": window_s,
        "where": note,
        "bars": len(sent["left"]),
        "first_bar_after_s": round(min(sent["left"], default=0) / 1000 - BEGAN_S, 1),
        "kilobytes": round(len(json.dumps(dict(sent), separators=(",", ":"))) / 1000),
        "ms": round(spent_s * 1000, 1),
        "changes": len(patches),
    }
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Fill a model, and look back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--lanes", type=int, default=8)
    options = parser.parse_args()
    before = psutil.Process().memory_info().rss
    model = ClusterModel()
    fill(model, options.rate, options.seconds, options.lanes)
    grown = psutil.Process().memory_info().rss - before
    print(json.dumps({"megabytes": round(grown / 1e6)}))
    for level in model.bars.levels:
        since_s = max(level.since_s - BEGAN_S, 0.0)
        facts = {"resolution_s": level.resolution_s, "bars": len(level.closed)}
        print(json.dumps({**facts, "reaches_back_to_s": round(since_s, 1)}))
    view = View(model, LIGHT)
    stream = view.draw("stream", TaskStream)
    document = Document()
    document.add_root(stream.figure)
    range_ = stream.figure.x_range
    end_s = BEGAN_S + options.seconds
    for window_s in (2.0, 10.0, 60.0, 600.0, options.seconds):
        look(stream, range_, BEGAN_S, window_s, "at its beginning")
        look(stream, range_, end_s - 1.2 * window_s, window_s, "near its end")
    # As a hand that drags does: a quarter of the window at a time.
    for step in range(4):
        look(stream, range_, BEGAN_S + 600 - 15 * step, 60.0, "dragged")


if __name__ == "__main__":
    main()
