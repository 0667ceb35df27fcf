"""Graphs: from a dict of tasks, ours or dask's, to batches of submitted tasks in a good order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hocket.client.batches import TaskBatch
from hocket.client.futures import Future
from hocket.client.options import NO_OPTIONS, TaskOptions, check_key
from hocket.client.submit import Submitter
from hocket.core.errors import DuplicateKey
from hocket.graph.convert import from_dask
from hocket.graph.keys import Key, Keys, flat_keys, key_text
from hocket.graph.ordering import order
from hocket.graph.rewrite import cull
from hocket.graph.task import Literal, Ref, Task, dependencies_of, evaluate
from hocket.protocol.serialize import (
    ArgumentPickler,
    FunctionPickle,
    dump_function,
    identity,
    note_reference,
    resolve,
)

__all__ = ["submit_graph"]


def submit_graph(
    submitter: Submitter,
    graph: object,
    keys: Keys,
    suffix: str,
    batch_tasks: int,
    options: TaskOptions = NO_OPTIONS,
) -> dict[Key, Future]:
    """Have the tasks made that some keys of a graph need, and return the futures of the keys.

    Parameters
    ----------
    submitter
        Of the client.
    graph
        A `Graph`, or anything that `from_dask` takes.
    keys
        A key, or nested lists of keys.
    suffix
        Added to the graph's keys, so that they are not those of another call with other content.
    batch_tasks
        Tasks that one message submits at most.
    options
        For all tasks.

    Raises
    ------
    UnknownKey, GraphCycle, InvalidGraph, DuplicateKey
        The graph cannot be computed.
    SerializationError
        An argument or a function cannot be pickled.
    PeerLost
        The scheduler is gone.
    """
    wanted = dict.fromkeys(flat_keys(keys))
    if not wanted:
        return {}
    # Nested lists of keys are flattened by now.
    needed = cull(from_dask(graph), list(wanted))
    return _GraphSubmission(submitter, needed, wanted, suffix, options).run(batch_tasks)


class _Input:
    """Pickles as the value of a key."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class _GraphSubmission:
    """One graph on its way."""

    def __init__(
        self,
        submitter: Submitter,
        graph: Mapping[Key, Any],
        wanted: Mapping[Key, None],
        suffix: str,
        options: TaskOptions,
    ) -> None:
        self._submitter = submitter
        self._graph = graph
        self._wanted = wanted
        self._options = options
        ordered = order(graph)
        #: Per key, its text on the wire; those of aliases are what they stand for.
        self._texts: dict[Key, str] = {}
        #: Futures in the graph, by their keys.
        self._given: dict[str, Future] = {}
        self._tasks: list[Key] = []
        texts: set[str] = set()
        for key in ordered:
            entry = graph[key]
            if isinstance(entry, Ref):
                self._texts[key] = self._texts[entry.key]
            elif isinstance(entry, Future):
                self._texts[key] = entry.key
                self._given[entry.key] = entry
            else:
                text = check_key(f"{key_text(key)}{suffix}")
                if text in texts:
                    raise DuplicateKey(key=key_text(key))
                texts.add(text)
                self._texts[key] = text
                self._tasks.append(key)
        self._functions: dict[int, FunctionPickle] = {}
        self._has_nested = False
        self._pickler = ArgumentPickler(
            {Ref: self._reduce_ref, Literal: _reduce_literal, Task: self._reduce_nested}
        )
        self._nested_pickler = ArgumentPickler(
            {Ref: self._reduce_nested_ref, _Input: _reduce_input}
        )

    def run(self, batch_tasks: int) -> dict[Key, Future]:
        """Hand over all tasks, and return the futures of the wanted keys."""
        last_uses = self._find_last_uses() if len(self._tasks) > 1 else {}
        wanted_texts = {self._texts[key] for key in self._wanted}
        # Those of results that only later batches use, until these are handed over, as well.
        futures = dict(self._given)
        batch_nbytes = self._submitter.batch_nbytes
        batch = _GrowingBatch()
        for position, key in enumerate(self._tasks):
            function, payload, references, holds = self._pickle(key)
            self._submitter.check_size(len(function.blob) + len(payload), function)
            batch.add(self._texts[key], position, function, payload, references, holds)
            is_last = position == len(self._tasks) - 1
            if is_last or len(batch.keys) == batch_tasks or batch.nbytes > batch_nbytes:
                rows = [
                    row
                    for row, text in enumerate(batch.keys)
                    if text in wanted_texts or last_uses.get(text, -1) > position
                ]
                made = self._submitter.hand_over(batch.finish(rows, self._options))
                for row, future in zip(rows, made, strict=True):
                    futures[batch.keys[row]] = future
                if batch.holds:
                    for future in made:
                        future.record.holds = batch.holds
                batch = _GrowingBatch()
        return {key: futures[self._texts[key]] for key in self._wanted}

    def _find_last_uses(self) -> dict[str, int]:
        """Return for each result the position of the last task that uses it."""
        last_uses: dict[str, int] = {}
        for position, key in enumerate(self._tasks):
            for needed in dependencies_of(self._graph[key]):
                last_uses[self._texts[needed]] = position
        return last_uses

    def _pickle(self, key: Key) -> tuple[FunctionPickle, bytes, list[str], list[Future] | None]:
        """Pickle what stands for a key."""
        entry = self._graph[key]
        pickle_call = self._submitter.pickle_call
        if not isinstance(entry, Task):
            value = entry.value if isinstance(entry, Literal) else entry
            return self._pickle_function(identity), *pickle_call(self._pickler, (value,), {})
        function = self._pickle_function(entry.function)
        self._has_nested = False
        args, kwargs = entry.args, dict(entry.kwargs)
        if function.references:
            function, args = self._submitter.pickle_function(entry.function, args)
        pickled = pickle_call(self._pickler, args, kwargs)
        if self._has_nested:
            # It runs tasks of its own, so it must be run as a whole.
            label = function.label
            function = self._pickle_function(evaluate)._replace(label=label)
            pickled = pickle_call(self._nested_pickler, (entry, {}), {})
        return function, *pickled

    def _pickle_function(self, function: Callable[..., Any]) -> FunctionPickle:
        """Pickle a function once; the graph holds it, so its id is its own."""
        pickled = self._functions.get(id(function))
        if pickled is None:
            pickled = self._functions[id(function)] = dump_function(function)
        return pickled

    def _reduce_ref(self, ref: Ref) -> tuple[Any, ...]:
        text = self._texts[ref.key]
        note_reference(text)
        return resolve, (text,)

    def _reduce_nested(self, task: Task) -> Any:
        self._has_nested = True
        return task.__reduce__()

    def _reduce_nested_ref(self, ref: Ref) -> tuple[Any, ...]:
        # In a literal, since the value may be a container, which must not be searched.
        return Literal, (_Input(self._texts[ref.key]),)


def _reduce_literal(literal: Literal) -> tuple[Any, ...]:
    return identity, (literal.value,)


def _reduce_input(given: _Input) -> tuple[Any, ...]:
    note_reference(given.text)
    return resolve, (given.text,)


class _GrowingBatch:
    """A batch while tasks are added to it."""

    def __init__(self) -> None:
        self.functions: list[FunctionPickle] = []
        self.keys: list[str] = []
        self.holds: list[Future] = []
        self.nbytes = 0
        self._payloads: list[bytes] = []
        self._references: list[list[str]] = []
        self._function_of: list[int] = []
        self._ranks: list[int] = []
        self._rows: dict[tuple[bytes, str], int] = {}

    def add(
        self,
        text: str,
        rank: int,
        function: FunctionPickle,
        payload: bytes,
        references: list[str],
        holds: list[Future] | None,
    ) -> None:
        """Add a task."""
        row = self._rows.setdefault((function.digest, function.label), len(self.functions))
        if row == len(self.functions):
            self.functions.append(function)
            self.nbytes += len(function.blob)
        self.keys.append(text)
        self._payloads.append(payload)
        self._references.append(references)
        self._function_of.append(row)
        self._ranks.append(rank)
        self.nbytes += len(payload)
        if holds:
            self.holds += holds

    def finish(self, wanted: list[int], options: TaskOptions) -> TaskBatch:
        """Return the batch, of which some rows are wanted."""
        return TaskBatch(
            self.functions,
            self.keys,
            self._payloads,
            references=self._references,
            function_of=self._function_of,
            ranks=self._ranks,
            wanted=wanted,
            options=options,
        )
