"""What the scheduler tells those who look on: the feed, and what may be asked beside it."""

from __future__ import annotations

from hocket.scheduler.feed.feed import Feed, LocalReader
from hocket.scheduler.feed.searching import Searching
from hocket.scheduler.feed.topics import Topics

__all__ = ["Feed", "LocalReader", "Searching", "Topics"]
