"""The part of a traceback that is the user's."""

from __future__ import annotations

from types import TracebackType

__all__ = ["without_engine_frames"]

_ENGINE = "hocket.graph."


def without_engine_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame on that is not ours; whole if all are."""
    first = traceback
    while first is not None:
        if not str(first.tb_frame.f_globals.get("__name__", "")).startswith(_ENGINE):
            return first
        first = first.tb_next
    return traceback
