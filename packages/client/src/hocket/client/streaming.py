"""Having generators run on the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hocket.client.calling import check_options
from hocket.client.options import TaskOptions, check_key, make_options
from hocket.client.shell.session import ClientSession
from hocket.client.submit import Submitter

if TYPE_CHECKING:
    from hocket.client.streams import Stream

__all__ = ["Streamer"]

#: The keys of the tasks of a stream are longer than its own by this much, at the most.
_SUFFIX_LENGTH_MAX: Final = 64


class Streamer:
    """What a client can have streamed; a part of `Client`."""

    _session: ClientSession
    _submitter: Submitter

    def stream(  # noqa: PLR0913 - as for submit
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        ahead: int | None = None,
        key: str | None = None,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        timeout: float | str | None = None,
        **kwargs: Any,
    ) -> Stream:
        """Have a generator run on the cluster, and return what iterates over its items.

        They come while it runs on. They stay on the worker that made them, until somebody wants
        their values, as the results of tasks do; see `Stream`.

        If the worker is lost, the generator is run again elsewhere, and passes over what was there
        before: the stream goes on where it was, if the generator yields the same each time.

        Parameters
        ----------
        fn
            A generator function, an asynchronous one, or a function that returns something else
            that can be iterated over.
        *args, **kwargs
            Its arguments. Futures in them, however deep, become the values when it is called.
        ahead
            How many items may be made that nobody has taken: the generator waits then, without a
            slot of its worker. None: as many as are small together (10,000, or 64 MiB).
        key
            A text for the names of its tasks to begin with.
        priority, retries, retry_delay, workers, allow_other_workers, resources
            As for `submit`. What it raises, it raises again after so many retries, each of which
            runs it from the beginning; resources are reserved while it makes items.
        timeout
            As for `submit`, for a slice of items: one, or as many as are made in some
            milliseconds.

        Raises
        ------
        TypeError
            ``fn`` cannot be called.
        SerializationError, SettingsError, PeerLost
            As for `submit`.

        Examples
        --------
        >>> def lines(path):
        ...     with open(path) as file:
        ...         yield from file
        >>> for line in client.stream(lines, "/data/log").values():  # doctest: +SKIP
        ...     print(line)
        """
        # Imported here: most clients never need it.
        from hocket.client.stream_flow import check_ahead  # noqa: PLC0415
        from hocket.client.streams import Stream, StreamSource  # noqa: PLC0415
        from hocket.protocol.serialize import label_of  # noqa: PLC0415
        from hocket.transport.live_generators import GeneratorFunction  # noqa: PLC0415

        check_options(fn, timeout=timeout, ahead=ahead)
        ahead = check_ahead(ahead)
        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            timeout=timeout,
        )
        label = label_of(fn)
        prefix = label if key is None else check_key(key)
        with self._session.lock:
            machine = self._session.begin()
            number = machine.take_numbers(1)
        name = f"{prefix}-{machine.token}-{number}"
        check_key(name + "-" * _SUFFIX_LENGTH_MAX)
        generator = self._submitter.submit(
            GeneratorFunction(fn),
            args,
            kwargs,
            name,
            options=replace(options, timeout_s=0.0) if options.timeout_s else options,
        )
        return Stream(
            StreamSource(
                self._submitter, generator, label, ahead, lambda worker: _beside(options, worker)
            )
        )


def _beside(options: TaskOptions, worker: str) -> TaskOptions:
    """Return the options of a task that takes a slice: where the generator is, if that is there.

    Where only certain workers may run it, it can be none other, whatever that costs.
    """
    if not worker or (options.workers and not options.allow_other_workers):
        return options
    return replace(options, workers=(worker,), allow_other_workers=True)
