"""Graphs: from a dict of tasks, ours or dask's, to batches of submitted tasks in a good order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hocket.client.batches import TaskBatch
from hocket.client.dask_adapter.expressions import Prepared
from hocket.client.futures import Future
from hocket.client.gather import find_own_futures
from hocket.client.options import NO_OPTIONS, TaskOptions, check_key
from hocket.client.submit import Submitter
from hocket.graph.keys import Key, key_text
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
    prepared: Prepared,
    keys: list[Key],
    suffix: str,
    batch_tasks: int,
    options: TaskOptions = NO_OPTIONS,
) -> dict[Key, Future]:
    """Have the tasks made that some keys of a graph need, and return the futures of the keys.

    Parameters
    ----------
    submitter
        Of the client.
    prepared
        The graph, and what was asked for single tasks of it.
    keys
        What is wanted of it.
    suffix
        Added to the graph's keys, so that they are not those of another call with other content.
    batch_tasks
        Tasks that one message submits at most.
    options
        For all tasks for which nothing else was asked.

    Raises
    ------
    UnknownKey, GraphCycle, InvalidGraph
        The graph cannot be computed.
    SerializationError
        An argument or a function cannot be pickled.
    OtherCluster
        A future in it is of another cluster.
    PeerLost
        The scheduler is gone.
    """
    if not keys:
        return {}
    needed = cull(prepared.graph, list(keys)) if prepared.last_steps else prepared.graph
    submission = _GraphSubmission(submitter, needed, dict.fromkeys(keys), suffix)
    return submission.run(batch_tasks, prepared.options, options)


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
    ) -> None:
        self._submitter = submitter
        self._graph = graph
        self._wanted = wanted
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
                find_own_futures(submitter.session, entry)
                self._texts[key] = entry.key
                self._given[entry.key] = entry
            else:
                text = check_key(f"{key_text(key)}{suffix}")
                while text in texts:
                    # A text that spells a tuple, beside the tuple itself.
                    text += "'"
                texts.add(text)
                self._texts[key] = text
                self._tasks.append(key)
        self._functions: dict[int, FunctionPickle] = {}
        #: By id, arguments of the graph that were too big to travel with their tasks.
        self._scattered: dict[int, Future] = {}
        self._has_nested = False
        owner = submitter.session
        #: Futures of other clients that the task pickled last depends on.
        self._guests: list[Any] = []
        self._pickler = ArgumentPickler(
            {Ref: self._reduce_ref, Literal: _reduce_literal, Task: self._reduce_nested}, owner
        )
        self._nested_pickler = ArgumentPickler(
            {Ref: self._reduce_nested_ref, _Input: self._reduce_input}, owner
        )

    def run(
        self, batch_tasks: int, chosen: Mapping[Key, TaskOptions], options: TaskOptions
    ) -> dict[Key, Future]:
        """Hand over all tasks, and return the futures of the wanted keys."""
        ranks: Sequence[int] = range(len(self._tasks))
        if chosen:
            ranks = self._bring_together(chosen, options)
        last_uses = self._find_last_uses() if len(self._tasks) > 1 else {}
        wanted_texts = {self._texts[key] for key in self._wanted}
        # Those of results that only later batches use, until these are handed over, as well.
        futures = dict(self._given)
        batch_nbytes = self._submitter.batch_nbytes
        batch = _GrowingBatch()
        last = len(self._tasks) - 1
        for position, (key, rank) in enumerate(zip(self._tasks, ranks, strict=True)):
            function, payload, references, holds = self._pickle(key)
            batch.guests += self._guests
            self._submitter.check_size(len(function.blob) + len(payload), function)
            batch.add(self._texts[key], rank, function, payload, references, holds)
            is_full = position == last or len(batch.keys) == batch_tasks
            of_task = chosen.get(key, options) if chosen else options
            if chosen and not is_full:
                is_full = chosen.get(self._tasks[position + 1], options) is not of_task
            if is_full or batch.nbytes > batch_nbytes:
                rows = [
                    row
                    for row, text in enumerate(batch.keys)
                    if text in wanted_texts or last_uses.get(text, -1) > position
                ]
                made = self._submitter.hand_over(batch.finish(rows, of_task))
                for row, future in zip(rows, made, strict=True):
                    futures[batch.keys[row]] = future
                if batch.holds:
                    for future in made:
                        future.record.holds = batch.holds
                batch = _GrowingBatch()
        return {key: futures[self._texts[key]] for key in self._wanted}

    def _bring_together(
        self, chosen: Mapping[Key, TaskOptions], options: TaskOptions
    ) -> Sequence[int]:
        """Sort the tasks such that those with equal options follow each other; return the ranks.

        A message has one set of options, and tasks come after those that they depend on.
        """
        ranks = {key: rank for rank, key in enumerate(self._tasks)}
        dependents: dict[Key, list[Key]] = {}
        missing_counts: dict[Key, int] = {}
        ready: dict[int, deque[Key]] = {}
        queue_of = {key: id(chosen.get(key, options)) for key in self._tasks}
        for key in self._tasks:
            needed = {
                self._resolve(one) for one in dependencies_of(self._graph[key])
            } & ranks.keys()
            missing_counts[key] = len(needed)
            for one in needed:
                dependents.setdefault(one, []).append(key)
            if not needed:
                ready.setdefault(queue_of[key], deque()).append(key)
        self._tasks = []
        while ready:
            name = next(iter(ready))
            queue = ready[name]
            while queue:
                key = queue.popleft()
                self._tasks.append(key)
                for one in dependents.get(key, ()):
                    missing_counts[one] -= 1
                    if not missing_counts[one]:
                        ready.setdefault(queue_of[one], deque()).append(one)
            del ready[name]
        return [ranks[key] for key in self._tasks]

    def _resolve(self, key: Key) -> Key:
        """Return the key of the task that a key stands for."""
        while isinstance(entry := self._graph[key], Ref):
            key = entry.key
        return key

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
            pickled = pickle_call(self._pickler, (value,), {}, self._scattered)
            self._guests = self._pickler.guests
            return self._pickle_function(identity), *pickled
        function = self._pickle_function(entry.function)
        self._has_nested = False
        args, kwargs = entry.args, dict(entry.kwargs)
        if function.references:
            function, args = self._submitter.pickle_function(entry.function, args)
        pickler = self._pickler
        pickled = pickle_call(pickler, args, kwargs, self._scattered)
        if self._has_nested:
            # It runs tasks of its own, so it must be run as a whole.
            label = function.label
            function = self._pickle_function(evaluate)._replace(label=label)
            pickler = self._nested_pickler
            pickled = pickle_call(pickler, (entry, {}), {})
        self._guests = pickler.guests
        return function, *pickled

    def _pickle_function(self, function: Callable[..., Any]) -> FunctionPickle:
        """Pickle a function once; the graph holds it, so its id is its own."""
        pickled = self._functions.get(id(function))
        if pickled is None:
            pickled = self._functions[id(function)] = dump_function(function)
        return pickled

    def _reduce_ref(self, ref: Ref) -> tuple[Any, ...]:
        return self._reduce_text(self._texts[ref.key])

    def _reduce_input(self, given: _Input) -> tuple[Any, ...]:
        return self._reduce_text(given.text)

    def _reduce_text(self, text: str) -> tuple[Any, ...]:
        future = self._given.get(text)
        note_reference(text, None if future is None else future.session, future)
        return resolve, (text,)

    def _reduce_nested(self, task: Task) -> Any:
        self._has_nested = True
        return task.__reduce__()

    def _reduce_nested_ref(self, ref: Ref) -> tuple[Any, ...]:
        # In a literal, since the value may be a container, which must not be searched.
        return Literal, (_Input(self._texts[ref.key]),)


def _reduce_literal(literal: Literal) -> tuple[Any, ...]:
    return identity, (literal.value,)


class _GrowingBatch:
    """A batch while tasks are added to it."""

    def __init__(self) -> None:
        self.functions: list[FunctionPickle] = []
        self.keys: list[str] = []
        self.holds: list[Future] = []
        self.guests: list[Any] = []
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
            guests=self.guests,
        )
