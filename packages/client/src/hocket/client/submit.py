"""Submitting: calls become columns of keys and pickles, batch by batch, in the caller's thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice, repeat
from typing import Any, Final, NamedTuple

from hocket.client.batches import TaskBatch
from hocket.client.futures import Future
from hocket.client.options import NO_OPTIONS, TaskOptions, check_key
from hocket.client.shell.guests import introduce, keep_until_heard
from hocket.client.shell.session import ClientSession
from hocket.core.errors import LimitExceeded, SerializationError, SettingsError
from hocket.protocol.serialize import (
    ArgumentPickler,
    FunctionPickle,
    apply,
    collect_references,
    dump_function,
    flat_nbytes_of,
    nbytes_of,
    pack,
)
from hocket.protocol.serialize.pickling import PLAIN

__all__ = ["Submitter"]

#: A longer batch would make workers wait for the rest of it.
_BATCH_NBYTES: Final = 4 * 1024 * 1024

_DIGEST_NBYTES: Final = 16


class Submitter:
    """Makes batches of calls and hands them to a client's machine.

    Parameters
    ----------
    session
        Of the client.
    scatter
        Puts values on workers and returns futures of them; for arguments that are too big to
        travel with their tasks. None: there is no time for that, and they travel as long as a call
        fits in a frame.
    """

    def __init__(
        self, session: ClientSession, scatter: Callable[[list[Any]], list[Future]] | None
    ) -> None:
        self.session = session
        self._scatter = scatter
        settings = self.session.settings
        self._batch_tasks = settings.client.submit_batch_tasks
        # Encoded, a batch has keys and lengths besides.
        self._call_nbytes_max = settings.transport.frame_nbytes_max // 2
        self._inline_nbytes_max = (
            self._call_nbytes_max if scatter is None else settings.client.inline_argument_nbytes_max
        )
        #: A batch is sent when the pickles in it add up to this.
        self.batch_nbytes = min(_BATCH_NBYTES, self._call_nbytes_max // 2)
        self._token = self.session.machine.token

    def submit(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: object = None,
        *,
        pure: bool = False,
        options: TaskOptions = NO_OPTIONS,
    ) -> Future:
        """Have one call made, and return its future."""
        if key is not None or pure:
            batch, holds = self.name_call(function, args, kwargs, key, options=options)
            (future,) = self.hand_over(batch)
        else:
            pickled, pickler, payload, holds = self._pickle_one(function, args, kwargs)
            session = self.session
            prefix = f"{pickled.label}-{self._token}-"
            if pickler.guests:
                introduce(session, pickler.guests)
            with session.lock:
                state = session.begin().submit_call(
                    prefix, pickled, payload, pickler.references, options
                )
            session.send()
            if pickler.guests:
                keep_until_heard(session, pickler.guests)
            future = Future(state, session)
        if holds:
            future.record.holds = holds
        return future

    def name_call(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: object = None,
        *,
        options: TaskOptions = NO_OPTIONS,
    ) -> tuple[TaskBatch, list[Future] | None]:
        """Return one call under a key that may be there already, and what it holds.

        Without a key, it is made from the call.
        """
        pickled, pickler, payload, holds = self._pickle_one(function, args, kwargs)
        spec = _spec_of(pickled, payload)
        name = check_key(key) if key is not None else f"{pickled.label}-{spec.hex()}"
        batch = TaskBatch([pickled], [name], [payload], [pickler.references], specs=[spec])
        batch.options = options
        batch.guests = pickler.guests
        return batch, holds

    def _pickle_one(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[FunctionPickle, ArgumentPickler, bytes, list[Future] | None]:
        pickled, args = self.pickle_function(function, args)
        pickler = ArgumentPickler(owner=self.session)
        payload, _, holds = self.pickle_call(pickler, args, kwargs)
        self.check_size(len(payload) + len(pickled.blob), pickled)
        return pickled, pickler, payload, holds

    def map(
        self,
        function: Callable[..., Any],
        iterables: Sequence[Iterable[Any]],
        kwargs: dict[str, Any],
        key: object = None,
        *,
        pure: bool = False,
        options: TaskOptions = NO_OPTIONS,
    ) -> list[Future]:
        """Have a call made for each row of the iterables, and return the futures."""
        held: list[Future] = []
        if kwargs:
            _, kwargs, held = self._scatter_big((), kwargs)
            bound = functools.partial(function, **kwargs)
            if not dump_function(bound).references:
                function, kwargs = bound, {}
        pickled, first = self.pickle_function(function, ())
        self.check_size(len(pickled.blob), pickled)
        prefix = f"{pickled.label}-{self._token}-"
        keys: Iterator[str] | None = None
        if isinstance(key, str):
            prefix = f"{check_key(key)}-{self._token}-"
        elif key is not None:
            keys = map(check_key, _iterate_keys(key))
        futures: list[Future] = []
        rows = zip(*iterables, strict=False)
        while batch_rows := list(islice(rows, self._batch_tasks)):
            calls = _Calls(pickled, first, kwargs, batch_rows, len(futures))
            for batch, holds in self._pickle_rows(calls):
                batch.options = options
                if pure or keys is not None:
                    self._name(batch, pickled, keys)
                made = self.hand_over(batch, prefix)
                for row, row_holds in holds:
                    made[row].record.holds = row_holds
                if held:
                    for future in made:
                        future.record.holds = [*held, *(future.record.holds or ())]
                futures += made
        return futures

    def _pickle_rows(
        self, calls: _Calls
    ) -> Iterator[tuple[TaskBatch, list[tuple[int, list[Future]]]]]:
        """Yield batches of calls, and which row holds which scattered arguments.

        The rows live until all of their batches are handed over, and with them the futures in them.
        """
        first, kwargs, start = calls.first, calls.kwargs, calls.start
        pickler = ArgumentPickler(owner=self.session)
        dumps = pickler.dumps
        nbytes_max = self._inline_nbytes_max
        payloads: list[bytes] = []
        references: list[list[str]] = []
        holds: list[tuple[int, list[Future]]] = []
        guests: list[Any] = []
        nbytes = 0
        try:
            for args in calls.rows:
                held = None
                for value in args:
                    if type(value) not in PLAIN and flat_nbytes_of(value) > nbytes_max:
                        payload, keys, held = self.pickle_call(pickler, (*first, *args), kwargs)
                        break
                else:
                    payload = dumps((*first, *args) if first else args, kwargs)
                    keys = pickler.references
                    if len(payload) > nbytes_max:
                        payload, keys, held = self.pickle_call(pickler, (*first, *args), kwargs)
                if held:
                    holds.append((len(payloads), held))
                if keys and not references:
                    references = [[] for _ in payloads]
                if keys or references:
                    references.append(keys)
                    guests += pickler.guests
                payloads.append(payload)
                nbytes += len(payload)
                if nbytes > self.batch_nbytes:
                    self.check_size(len(payload), calls.function)
                    yield _batch_of(calls, payloads, references, guests), holds
                    start += len(payloads)
                    payloads, references, holds, guests, nbytes = [], [], [], [], 0
        except SerializationError as error:
            what = f"{error.what} of call {start + len(payloads)} of the map"
            raise SerializationError(
                what=what, type_name=error.type_name, reason=error.reason
            ) from error.__cause__
        if payloads:
            yield _batch_of(calls, payloads, references, guests), holds

    def _name(self, batch: TaskBatch, function: FunctionPickle, keys: Iterator[str] | None) -> None:
        """Give the tasks of a batch keys that may be there already."""
        batch.specs = [_spec_of(function, payload) for payload in batch.payloads]
        if keys is None:
            batch.keys = [f"{function.label}-{spec.hex()}" for spec in batch.specs]
            return
        batch.keys = list(islice(keys, len(batch.payloads)))
        if len(batch.keys) < len(batch.payloads):
            raise SettingsError(
                name="key",
                value=f"{len(batch.keys)} keys",
                allowed="as many keys as there are calls",
                source="the call",
            )

    def hand_over(self, batch: TaskBatch, prefix: str = "") -> list[Future]:
        """Give a batch to the machine, have it sent, and return the futures that it wants.

        Raises
        ------
        DuplicateKey
            A key that the user chose stands for another task.
        PeerLost
            The client is closed, or the scheduler gone.
        """
        session = self.session
        if batch.guests:
            introduce(session, batch.guests)
        with session.lock:
            machine = session.begin()
            if not batch.keys:
                count = len(batch.payloads)
                number = machine.take_numbers(count)
                batch.keys = [f"{prefix}{one}" for one in range(number, number + count)]
            states = machine.submit(batch)
        session.send()
        if batch.guests:
            keep_until_heard(session, batch.guests)
        return list(map(Future, states, repeat(session)))

    # ------------------------------------------------------------------ pickling

    def pickle_function(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> tuple[FunctionPickle, tuple[Any, ...]]:
        """Pickle a function; one that holds futures becomes an argument of `apply` instead.

        What it holds is then resolved for each task, like any argument.
        """
        pickled = dump_function(function)
        if not pickled.references:
            return pickled, args
        applied = dump_function(apply)
        return applied._replace(label=pickled.label), (function, *args)

    def pickle_call(
        self,
        pickler: ArgumentPickler,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        scattered: dict[int, Future] | None = None,
    ) -> tuple[bytes, list[str], list[Future] | None]:
        """Pickle the arguments of one call, big ones as references to what is scattered.

        Parameters
        ----------
        pickler, args, kwargs
            What pickles what.
        scattered
            By id, what was scattered for other calls already; the caller keeps the values.

        Returns
        -------
        tuple
            The pickle, the keys it refers to, and the futures of what was scattered.
        """
        held: list[Future] | None = None
        nbytes_max = self._inline_nbytes_max
        for value in (*args, *kwargs.values()):
            if type(value) not in PLAIN and flat_nbytes_of(value) > nbytes_max:
                args, kwargs, held = self._scatter_big(args, kwargs, scattered)
                break
        payload = pickler.dumps(args, kwargs)
        if len(payload) > nbytes_max and held is None:
            args, kwargs, held = self._scatter_big(args, kwargs, scattered)
            if held:
                payload = pickler.dumps(args, kwargs)
        return payload, pickler.references, held

    def _scatter_big(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        scattered: dict[int, Future] | None = None,
    ) -> tuple[tuple[Any, ...], dict[str, Any], list[Future]]:
        """Scatter the biggest arguments until the others are small enough together.

        Those that hold futures stay: they would be resolved nowhere.
        """
        nbytes_max = self._inline_nbytes_max
        sizes: list[tuple[int, object]] = [(_size_of(one), row) for row, one in enumerate(args)]
        sizes += [(_size_of(one), name) for name, one in kwargs.items()]
        total = sum(nbytes for nbytes, _ in sizes)
        chosen: dict[object, Any] = {}
        for nbytes, place in sorted(sizes, key=lambda one: -one[0]):
            if total <= nbytes_max or not nbytes:
                break
            chosen[place] = args[place] if isinstance(place, int) else kwargs[str(place)]
            total -= nbytes
        if not chosen:
            return args, kwargs, []
        known = {} if scattered is None else scattered
        missing = [one for one in chosen.values() if id(one) not in known]
        if missing and self._scatter is None:
            raise LimitExceeded(
                what="an argument, which an asynchronous client scatters first"
                " (await client.scatter(...))",
                limit=self._inline_nbytes_max,
                asked=total + sum(_size_of(one) for one in missing),
            )
        if missing:
            assert self._scatter is not None
            known.update(zip(map(id, missing), self._scatter(missing), strict=True))
        futures = [known[id(one)] for one in chosen.values()]
        by_place: Mapping[object, Any] = dict(zip(chosen, futures, strict=True))
        args = tuple(by_place.get(row, one) for row, one in enumerate(args))
        return args, {name: by_place.get(name, one) for name, one in kwargs.items()}, futures

    def check_size(self, nbytes: int, function: FunctionPickle) -> None:
        """Refuse what fits in no frame.

        Raises
        ------
        LimitExceeded
            It does not.
        """
        if nbytes > self._call_nbytes_max:
            raise LimitExceeded(
                what=f"the pickled call of {function.label!r}",
                limit=self._call_nbytes_max,
                asked=nbytes,
            )


class _Calls(NamedTuple):
    """Calls of one function, as a map has them."""

    function: FunctionPickle
    #: Arguments before each row.
    first: tuple[Any, ...]
    kwargs: dict[str, Any]
    rows: list[tuple[Any, ...]]
    #: The number of the first row in the whole map.
    start: int


def _batch_of(
    calls: _Calls, payloads: list[bytes], references: list[list[str]], guests: list[Any]
) -> TaskBatch:
    return TaskBatch([calls.function], [], payloads, references or None, guests=guests)


def _size_of(value: object) -> int:
    """Return the size of an argument's pickle; 0 if it must not be scattered."""
    if type(value) in PLAIN:
        return nbytes_of(value)
    with collect_references() as references:
        try:
            buffers = pack(value)
        except SerializationError:
            # The pickler will say which argument it is.
            return 0
    return 0 if references else sum(memoryview(buffer).nbytes for buffer in buffers)


def _spec_of(function: FunctionPickle, payload: bytes) -> bytes:
    """Return a digest of what a task computes; what it depends on is named in the payload."""
    digest = blake2b(function.digest, digest_size=_DIGEST_NBYTES)
    digest.update(payload)
    return digest.digest()


def _iterate_keys(keys: object) -> Iterator[object]:
    if not isinstance(keys, Iterable):
        raise SettingsError(
            name="key", value=keys, allowed="text, or a list of keys", source="the call"
        )
    return iter(keys)
