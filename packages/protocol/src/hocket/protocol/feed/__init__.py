"""The event feed: a bounded ring, readers of it, and files of it. Pure: no clock and no I/O."""

from __future__ import annotations

from hocket.protocol.feed.consumer import EventConsumer, load_consumer
from hocket.protocol.feed.cursor import Cursor
from hocket.protocol.feed.plain import decode_plain, encode_plain, fit_text
from hocket.protocol.feed.ring import Ring
from hocket.protocol.feed.source import Answer, Question, Reader, Source
from hocket.protocol.feed.subscriptions import Subscriptions

__all__ = [
    "Answer",
    "Cursor",
    "EventConsumer",
    "Question",
    "Reader",
    "Ring",
    "Source",
    "Subscriptions",
    "decode_plain",
    "encode_plain",
    "fit_text",
    "load_consumer",
]
