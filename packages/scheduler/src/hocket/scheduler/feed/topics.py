"""What users log under topics, and the metadata that they keep: bounded, and never unpickled."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from hocket.core.errors import SerializationError
from hocket.protocol.feed import decode_plain
from hocket.protocol.messages import (
    EventsListed,
    GetMetadata,
    ListEvents,
    LogEvents,
    MetadataTold,
    RequestRefused,
    SetMetadata,
)
from hocket.protocol.messages.feed import PAYLOAD_NBYTES_MAX, UserEvent

if TYPE_CHECKING:
    from hocket.scheduler.state import Client

__all__ = ["Topics"]

#: Events kept of each topic, topics, and what all events take together.
_EVENTS_MAX: Final = 10_000
_TOPICS_MAX: Final = 1000
_NBYTES_MAX: Final = 64 << 20
#: What a row takes beside its payload, roughly.
_ROW_NBYTES: Final = 200
#: All metadata together.
_METADATA_NBYTES_MAX: Final = 16 << 20

_encoder: Final = msgspec.msgpack.Encoder()


class Topics:
    """Events by topic, the oldest of which make room, and metadata by path.

    Parameters
    ----------
    answer_nbytes_max
        What one answer may hold.
    """

    def __init__(self, answer_nbytes_max: int) -> None:
        self._answer_nbytes_max = answer_nbytes_max
        self._topics: dict[str, deque[UserEvent]] = {}
        self._nbytes = 0
        #: A tree of dicts.
        self._metadata: dict[str, object] = {}
        self._metadata_nbytes = 0

    def keep(self, source: str, message: LogEvents) -> list[UserEvent]:
        """Keep what somebody said; return it as events."""
        events = [
            UserEvent(time_s, topic, source, key, payload)
            for topic, time_s, key, payload in zip(
                message.topics, message.times, message.keys, message.payloads, strict=True
            )
        ]
        for event in events:
            rows = self._topics.pop(event.topic, None)
            if rows is None:
                rows = deque()
            # (So that the topic that was used last stands last.)
            self._topics[event.topic] = rows
            rows.append(event)
            self._nbytes += len(event.payload) + _ROW_NBYTES
            if len(rows) > _EVENTS_MAX:
                self._drop_first(event.topic)
            while len(self._topics) > _TOPICS_MAX or self._nbytes > _NBYTES_MAX:
                self._drop_first(next(iter(self._topics)))
        return events

    def _drop_first(self, topic: str) -> None:
        rows = self._topics[topic]
        self._nbytes -= len(rows.popleft().payload) + _ROW_NBYTES
        if not rows:
            del self._topics[topic]

    def list_events(self, client: Client, message: ListEvents) -> None:
        """Answer what is kept under a topic, or under all."""
        if message.topic:
            events = list(self._topics.get(message.topic, ()))
        else:
            events = [event for rows in self._topics.values() for event in rows]
            events.sort(key=lambda event: event.time_s)
        nbytes = sum(len(event.payload) + _ROW_NBYTES for event in events)
        if nbytes > self._answer_nbytes_max:
            text = f"the answer is {nbytes} bytes, more than one message may hold; name a topic"
            client.outbox.add(RequestRefused(message.request, text))
        else:
            client.outbox.add(EventsListed(message.request, events), nbytes)

    # Metadata.

    def set_metadata(self, client: Client, message: SetMetadata) -> None:
        """Keep something under a path, or forget it."""
        try:
            value = None if message.value is None else decode_plain(message.value)
        except SerializationError as error:
            client.outbox.add(RequestRefused(message.request, str(error)))
            return
        *outer, last = message.path
        branch: dict[str, object] = self._metadata
        for name in outer:
            inner = branch.get(name)
            if not isinstance(inner, dict):
                if message.value is None:
                    client.outbox.add(MetadataTold(message.request, None))
                    return
                inner = branch[name] = {}
            branch = inner
        former = branch.pop(last, None)
        freed_nbytes = 0 if former is None else len(_encoder.encode(former))
        nbytes = 0 if message.value is None else len(message.value) + len(last)
        if self._metadata_nbytes - freed_nbytes + nbytes > _METADATA_NBYTES_MAX:
            if former is not None:
                branch[last] = former
            text = (
                f"all metadata together may be {_METADATA_NBYTES_MAX} bytes, and this does not fit"
                " any more: forget some, or keep it with client.scatter"
            )
            client.outbox.add(RequestRefused(message.request, text))
            return
        if message.value is not None:
            branch[last] = value
        self._metadata_nbytes = max(0, self._metadata_nbytes + nbytes - freed_nbytes)
        client.outbox.add(MetadataTold(message.request, message.value), nbytes)

    def get_metadata(self, client: Client, message: GetMetadata) -> None:
        """Answer what is kept under a path."""
        value: object = self._metadata
        for name in message.path:
            if not isinstance(value, dict) or name not in value:
                client.outbox.add(MetadataTold(message.request, None))
                return
            value = value[name]
        data = _encoder.encode(value)
        if len(data) > PAYLOAD_NBYTES_MAX:
            text = (
                f"what is kept under {'/'.join(message.path)!r} is {len(data)} bytes, more than one"
                f" answer may hold ({PAYLOAD_NBYTES_MAX}); ask for a part of it"
            )
            client.outbox.add(RequestRefused(message.request, text))
        else:
            client.outbox.add(MetadataTold(message.request, data), len(data))
