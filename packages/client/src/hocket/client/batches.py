"""Batches: tasks on their way into a message, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hocket.client.options import NO_OPTIONS, TaskOptions
from hocket.protocol.messages import SubmitTasks
from hocket.protocol.serialize import FunctionPickle

__all__ = ["TaskBatch", "TaskOptions"]


@dataclass(slots=True)
class TaskBatch:
    """Tasks, as columns."""

    functions: list[FunctionPickle]
    keys: list[str]
    payloads: list[bytes]
    #: Per task: the keys that it depends on; None: no task depends on any.
    references: list[list[str]] | None = None
    #: Per task: index into ``functions``; empty: all 0.
    function_of: list[int] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    #: Rows that the caller wants futures of; None: all.
    wanted: list[int] | None = None
    #: Per task, where keys may be there already: a digest of what it computes.
    specs: list[bytes] | None = None
    options: TaskOptions = NO_OPTIONS
    #: Futures of other clients that they depend on.
    guests: list[Any] = field(default_factory=list)

    def only(self, rows: list[int]) -> TaskBatch:
        """Return the batch with some of its rows."""
        if len(rows) == len(self.keys):
            return self

        def pick(column: list[Any]) -> list[Any]:
            return [column[row] for row in rows] if column else []

        return TaskBatch(
            functions=self.functions,
            keys=pick(self.keys),
            payloads=pick(self.payloads),
            references=None if self.references is None else pick(self.references),
            function_of=pick(self.function_of),
            ranks=pick(self.ranks),
            options=self.options,
        )

    def message(self) -> tuple[SubmitTasks, int]:
        """Return the message that submits the batch, and the bytes of pickles in it."""
        keys = self.keys
        dependencies: list[list[int]] = []
        if self.references is not None and any(self.references):
            keys, dependencies = self._index_references()
        options = self.options
        functions = self.functions
        message = SubmitTasks(
            functions=[function.digest for function in functions],
            labels=[function.label for function in functions],
            blobs=[function.blob for function in functions],
            keys=keys,
            function_of=self.function_of if len(functions) > 1 else [],
            payloads=self.payloads,
            dependencies=dependencies,
            ranks=self.ranks,
            wanted=self.wanted,
            priority=options.priority,
            retries=options.retries,
            workers=list(options.workers),
            allow_other_workers=options.allow_other_workers,
            resources=dict(options.resources),
            retry_delay_s=options.retry_delay_s,
            executor=options.executor,
            timeout_s=options.timeout_s,
        )
        return message, sum(map(len, self.payloads))

    def _index_references(self) -> tuple[list[str], list[list[int]]]:
        """Return all keys, the tasks' first, and per task the indices of its dependencies."""
        keys = list(self.keys)
        numbers = dict(zip(keys, range(len(keys)), strict=True))
        dependencies = []
        for references in self.references or ():
            row = []
            for key in references:
                number = numbers.get(key)
                if number is None:
                    number = numbers[key] = len(keys)
                    keys.append(key)
                row.append(number)
            dependencies.append(row)
        return keys, dependencies
