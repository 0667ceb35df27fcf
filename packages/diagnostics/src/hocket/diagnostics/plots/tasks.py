"""The page of tasks: find one, see why it waits, what became of it and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.visuals import Row, page, table
from hocket.protocol.messages import ExplainKeys, KeysExplained
from hocket.protocol.messages.observing import FindTasks, TasksFound

__all__ = ["executions", "failures", "history", "tasks", "why"]

page("tasks", "Tasks", order=30, text="Search for a key, or a part of one.")

#: Rows that tables show at most.
_ROWS_MAX = 300


@table(
    "Tasks",
    {
        "key": "Key",
        "group": "Function",
        "state": "State",
        "workers": "Workers",
        "nbytes": "Size",
        "attempt": "Attempt",
        "dependencies": "Inputs",
        "dependents": "Wanted by",
    },
    on="tasks",
    reads=(),
    place=10,
    asks=lambda words: FindTasks(0, words, count_max=_ROWS_MAX),
    text="What the scheduler knows now; a key leads to its history.",
)
def tasks(model: ClusterModel, words: str) -> Iterable[Row]:
    """The tasks that have the words in their keys."""
    del words
    found = model.answers.get("tasks")
    if not isinstance(found, TasksFound):
        return
    for task in found.tasks:
        yield {
            "key": task.key,
            "group": task.group,
            "state": task.state,
            "workers": ", ".join(task.workers),
            "nbytes": task.nbytes or None,
            "attempt": task.attempt,
            "dependencies": _listed(task.dependencies),
            "dependents": task.dependents,
        }


@table(
    "Why is it where it is?",
    {
        "key": "Key",
        "state": "State",
        "text": "Why",
        "worker_": "Worker",
        "refusal": "Why not there",
    },
    on="tasks",
    reads=(),
    place=20,
    asks=lambda words: ExplainKeys(0, [words.strip()] if words.strip() else []),
    text="Search for a whole key.",
)
def why(model: ClusterModel, words: str) -> Iterator[Row]:
    """Explain one task, worker by worker."""
    del words
    answer = model.answers.get("why")
    if not isinstance(answer, KeysExplained):
        return
    for one in answer.explanations:
        text = one.text
        if one.waits_for:
            text += f" (it waits for {_listed(one.waits_for)})"
        yield {
            "key": one.key,
            "state": one.state or "unknown",
            "text": text,
            "worker_": ", ".join(one.workers) or None,
            "refusal": None,
        }
        for worker, refusal in zip(one.considered, one.refusals, strict=False):
            yield {"key": one.key, "state": "", "text": "", "worker_": worker, "refusal": refusal}


@table(
    "Executions",
    {
        "start_s": "Began",
        "key": "Key",
        "worker": "Worker",
        "outcome": "Outcome",
        "waiting_s": "Waiting",
        "fetching_s": "Fetching",
        "ready_s": "Ready",
        "deserialising_s": "Deserialising",
        "running_s": "Running",
        "storing_s": "Storing",
        "nbytes": "Size",
        "error": "Error",
    },
    on="tasks",
    reads=("tasks",),
    place=30,
    text="The latest first, with their phases.",
)
def executions(model: ClusterModel, words: str) -> Iterator[Row]:
    """Executions that ended, the latest first."""
    return _latest(model, "tasks", 30_000 if words else 500)


@table(
    "History",
    {
        "time_s": "Time",
        "key": "Key",
        "attempt": "Attempt",
        "source": "From",
        "target": "To",
        "worker": "Worker",
    },
    on="tasks",
    reads=("moves",),
    place=40,
    text="Moves between the scheduler's states, the latest first.",
)
def history(model: ClusterModel, words: str) -> Iterator[Row]:
    """Moves, the latest first."""
    return _latest(model, "moves", 20_000 if words else 500)


@table(
    "Failures",
    {
        "time_s": "Time",
        "key": "Key",
        "group": "Function",
        "worker": "Worker",
        "attempt": "Attempt",
        "error": "Error",
    },
    on="tasks",
    reads=("tasks",),
    place=50,
)
def failures(model: ClusterModel, words: str) -> Iterator[Row]:
    """Executions that failed, the latest first."""
    del words
    return _latest(model, "failures", 500)


def _latest(model: ClusterModel, name: str, rows_max: int) -> Iterator[Row]:
    columns = model.rings[name].read(0, rows_max).columns
    names = list(columns)
    for values in zip(*(reversed(column) for column in columns.values()), strict=True):
        yield dict(zip(names, values, strict=True))


def _listed(keys: list[str], count_max: int = 5) -> str:
    shown = ", ".join(keys[:count_max])
    return shown if len(keys) <= count_max else f"{shown} and {len(keys) - count_max} others"
