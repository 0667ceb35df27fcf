"""Looking on: the task stream, profiles, events under topics, metadata, recordings of the feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from hocket.client.failures import error_of_failure
from hocket.client.following import Following
from hocket.client.futures import Future
from hocket.client.gather import find_own_futures
from hocket.client.options import check_key, check_text, worker_names
from hocket.client.profile import ProfileWatch
from hocket.client.recording import Recording
from hocket.client.shell.callbacks import call_soon
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import waits
from hocket.client.task_stream import TaskStream
from hocket.core.call_stacks import read_stacks
from hocket.core.errors import SettingsError
from hocket.protocol.feed import decode_plain, encode_plain
from hocket.protocol.messages import (
    Events,
    EventsListed,
    EverywhereRan,
    GetMetadata,
    ListEvents,
    LogEvents,
    MetadataTold,
    RunEverywhere,
    SetMetadata,
)
from hocket.protocol.messages.feed import EventKinds, UserEvent
from hocket.protocol.rules import NAME_LENGTH_MAX
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_value
from hocket.transport.clock import now

__all__ = ["Onlooker"]

_MISSING: Final = object()


class Onlooker:
    """What a client can see of what happens in its cluster; a part of `Client`."""

    _session: ClientSession

    # Tasks.

    def get_task_stream(
        self, filename: str | Path | None = None, *, past: bool = False
    ) -> TaskStream:
        """Return what gathers, while its ``with`` block runs, which task ran where and when.

        Parameters
        ----------
        filename
            Where to write it at the end of the block, as a trace that Perfetto (ui.perfetto.dev)
            and Chrome show.
        past
            Whether to begin with what the scheduler still has of executions before: some thousands,
            without the times of their phases where nobody looked on.

        Examples
        --------
        >>> with client.get_task_stream() as stream:  # doctest: +SKIP
        ...     client.gather(client.map(abs, range(3)))
        >>> stream.data[0]["startstops"]  # doctest: +SKIP
        """
        following = Following(self._session, EventKinds.TASKS, position=0 if past else -1)
        return TaskStream(following, filename)

    def profile(self, filename: str | Path | None = None) -> ProfileWatch:
        """Return what samples, while its ``with`` block runs, what the tasks of all workers do.

        The threads that run tasks are looked at 100 times a second; nobody is while nobody asks.

        Parameters
        ----------
        filename
            Where to write it at the end of the block, as folded stacks (one line each, with its
            count), which ``flamegraph.pl`` and speedscope.app show.

        Examples
        --------
        >>> with client.profile() as profile:  # doctest: +SKIP
        ...     client.gather(futures)
        >>> print(profile.text())  # doctest: +SKIP
        """
        return ProfileWatch(Following(self._session, EventKinds.PROFILE), filename)

    @waits
    async def call_stack(self, futures: Any = None, keys: Iterable[str] = ()) -> dict[str, Any]:
        """Return where tasks are that run now: by worker and key, lines as in a traceback.

        Parameters
        ----------
        futures
            Futures, nested as for `gather`, to ask about; None (and no keys): all that run.
        keys
            More keys to ask about.
        """
        wanted = [check_key(key) for key in keys]
        if futures is not None:
            if isinstance(futures, Future):
                futures = [futures]
            wanted += [future.key for future in find_own_futures(self._session, futures)]
        function = dump_function(read_stacks)
        payload = ArgumentPickler().dumps((wanted,), {})
        reply = await self._session.ask(
            EverywhereRan,
            lambda number: RunEverywhere(number, function.blob, payload, list(worker_names(None))),
        )
        stacks: dict[str, Any] = {}
        for address, data, failure in zip(reply.workers, reply.values, reply.failures, strict=True):
            if failure is not None:
                raise error_of_failure(failure, function.label)
            found = {} if data is None else load_value(data)
            if found:
                stacks[address] = found
        return stacks

    def record_feed(
        self, path: str | Path, kinds: int = EventKinds.USUAL, *, past: bool = False
    ) -> Recording:
        """Return what writes to a file, while its ``with`` block runs, all that happens.

        `hocket.client.recording.read_recording` reads it back, and so do the dashboard and the
        command ``hocket-dashboard``.

        Parameters
        ----------
        path
            The file, which is overwritten.
        kinds
            A sum of `hocket.protocol.messages.feed.EventKinds`.
        past
            Whether to begin with what the scheduler still has of what happened before.
        """
        return Recording(self._session, path, kinds, past=past)

    # Topics.

    @waits
    async def log_event(self, topic: str | Iterable[str], msg: Any) -> None:
        """Say something about a topic: whoever follows it hears, and the scheduler keeps the last.

        Parameters
        ----------
        topic
            A name, or several.
        msg
            Plain data: numbers, texts, bytes, times, and lists and dicts of these.

        Raises
        ------
        SerializationError
            The message is something else.
        """
        several = isinstance(topic, Iterable) and not isinstance(topic, str)
        topics: list[Any] = list(topic) if several else [topic]
        for one in topics:
            check_text("topic", one, NAME_LENGTH_MAX)
        payload = encode_plain(msg, f"the event of the topic {topics!r}")
        count = len(topics)
        session = self._session
        with session.lock:
            machine = session.begin()
            if machine.closed is not None:
                raise machine.closed
            machine.post(LogEvents(topics, [now()] * count, [""] * count, [payload] * count))
        session.send()

    @waits
    async def get_events(self, topic: str | None = None) -> Any:
        """Return what was said about a topic, as far as it is kept (the last 10,000).

        Parameters
        ----------
        topic
            Its name; None: all topics.

        Returns
        -------
        tuple or dict
            Pairs of the time, in seconds since the epoch, and the message; of all topics, a dict
            of these by topic.
        """
        if topic is not None:
            check_text("topic", topic, NAME_LENGTH_MAX)
        name = topic or ""
        reply = await self._session.ask(EventsListed, lambda number: ListEvents(number, name))
        by_topic: dict[str, list[tuple[float, Any]]] = {}
        for event in reply.events:
            row = (event.time_s, decode_plain(event.payload))
            by_topic.setdefault(event.topic, []).append(row)
        if topic is not None:
            return tuple(by_topic.get(topic, ()))
        return {name: tuple(rows) for name, rows in by_topic.items()}

    @waits
    async def subscribe_topic(self, topic: str, handler: Callable[[Any], object]) -> None:
        """Have a function called with each message about a topic, from now on.

        Parameters
        ----------
        topic
            Its name.
        handler
            Called with pairs of the time and the message, one after the other, in this process's
            thread for callbacks. Who is too slow misses the oldest.
        """
        check_text("topic", topic, NAME_LENGTH_MAX)
        if not callable(handler):
            raise SettingsError(
                name="handler", value=handler, allowed="a function", source="subscribe_topic()"
            )

        def hear(events: Events) -> None:
            call_soon(deliver, events)

        def deliver(events: Events) -> None:
            try:
                for event in events.events:
                    if isinstance(event, UserEvent):
                        handler((event.time_s, decode_plain(event.payload)))
            finally:
                if events.events:
                    following.grant(len(events.events))

        following = Following(self._session, EventKinds.TOPICS, topics=[topic], on_events=hear)
        await following.beginning()
        self._session.machine.feeds.topics.setdefault(topic, []).append(following)

    @waits
    async def unsubscribe_topic(self, topic: str) -> None:
        """Call the functions of a topic no more.

        Raises
        ------
        KeyError
            Nobody here has subscribed to it.
        """
        followings = self._session.machine.feeds.topics.pop(topic, None)
        if followings is None:
            raise KeyError(f"nobody has subscribed to the topic {topic!r} with this client")
        for following in followings:
            following.stop()

    # Metadata.

    @waits
    async def set_metadata(self, key: str | Iterable[str], value: Any) -> None:
        """Keep plain data on the scheduler, under a name or a path of names.

        Parameters
        ----------
        key
            ``"x"`` or ``["x", "y"]``, the outermost name first.
        value
            Plain data: numbers, texts, bytes, times, and lists and dicts of these.

        Raises
        ------
        NoCapacity
            All metadata together is too much.
        SerializationError
            The value is something else.
        """
        path = _path_of(key)
        payload = encode_plain(value, f"the metadata {'/'.join(path)!r}")
        await self._session.ask(MetadataTold, lambda number: SetMetadata(number, path, payload))

    @waits
    async def get_metadata(self, key: str | Iterable[str], default: Any = _MISSING) -> Any:
        """Return what is kept under a name or a path of names.

        Parameters
        ----------
        key
            As for `set_metadata`.
        default
            What to return if there is nothing.

        Raises
        ------
        KeyError
            There is nothing, and no default.
        """
        path = _path_of(key)
        reply = await self._session.ask(MetadataTold, lambda number: GetMetadata(number, path))
        if reply.value is None:
            if default is _MISSING:
                raise KeyError(f"no metadata is kept under {'/'.join(path)!r}; see set_metadata")
            return default
        return decode_plain(reply.value)


def _path_of(key: str | Iterable[str]) -> list[str]:
    path = [key] if isinstance(key, str) else list(key)
    if not path:
        raise SettingsError(
            name="key", value=key, allowed="a name, or names from the outermost", source="metadata"
        )
    for name in path:
        check_text("key", name, NAME_LENGTH_MAX)
    return path
