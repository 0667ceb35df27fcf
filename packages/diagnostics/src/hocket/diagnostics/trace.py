"""Traces for Perfetto (ui.perfetto.dev) and Chrome, of a recording or of events.

python -m hocket.diagnostics.trace feed.rec trace.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hocket.core.errors import HocketError
from hocket.protocol.feed.chrome_trace import trace_bytes
from hocket.protocol.messages import Events, Snapshot
from hocket.protocol.messages.feed import Event
from hocket.transport.feed_file import read_recording

__all__ = ["events_of", "main", "write_trace"]


def events_of(recording: Iterable[Snapshot | Events]) -> Iterator[Event]:
    """Yield the events that stand in a recording, or that a reader took."""
    for part in recording:
        if isinstance(part, Events):
            yield from part.events


def write_trace(target: str | Path, events: Iterable[Event]) -> None:
    """Write a trace.

    Parameters
    ----------
    target
        The file, which is overwritten; JSON in the Trace Event Format.
    events
        Of a recording (`events_of`), or of a live feed.

    Raises
    ------
    OSError
        It cannot be written.
    """
    Path(target).write_bytes(trace_bytes(events))


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a trace of a recording; return the exit code: 0, or 2 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m hocket.diagnostics.trace", description="Make a trace of a recording."
    )
    parser.add_argument("recording", help="what Client.record_feed wrote")
    parser.add_argument("trace", help="the file to write, which ui.perfetto.dev opens")
    options = parser.parse_args(arguments)
    try:
        write_trace(options.trace, events_of(read_recording(options.recording)))
    except (HocketError, OSError) as error:
        print(f"trace: {error}", file=sys.stderr)  # noqa: T201 - it is a command
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
