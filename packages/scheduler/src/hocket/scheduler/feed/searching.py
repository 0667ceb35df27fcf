"""Questions of those who look on that no event answers: which tasks there are, and their graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hocket.core.units import NBYTES_MAX
from hocket.protocol.messages import (
    DescribeGraph,
    FindTasks,
    GraphDescribed,
    GraphNode,
    TaskDescription,
    TasksFound,
)
from hocket.scheduler.feed.watch import SCATTERED_GROUP

if TYPE_CHECKING:
    from hocket.scheduler.state import Client, Task
    from hocket.scheduler.tables import Tables

__all__ = ["Searching"]

#: Tasks that are looked at for one question, so that no question holds up the scheduler for long.
_LOOKED_AT_MAX: Final = 100_000
#: The same, of a graph, where each task's dependencies are looked at as well.
_GRAPH_TASKS_MAX: Final = 10_000
#: Tasks, and nodes, in one answer.
_FOUND_MAX: Final = 1000
_NODES_MAX: Final = 2000
#: Of workers and dependencies of one task, so many are named.
_NAMED_MAX: Final = 32
_ROW_NBYTES: Final = 200


class Searching:
    """Answers from the tables; changes nothing.

    Parameters
    ----------
    tables
        The scheduler's.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def find(self, client: Client, message: FindTasks) -> None:
        """Answer which tasks fit."""
        count_max = min(message.count_max, _FOUND_MAX)
        states = frozenset(message.states)
        found: list[TaskDescription] = []
        more = False
        exact = self._tables.tasks.get(message.text)
        if exact is not None and self._fits(exact, message, states):
            found.append(self._describe(exact))
        for looked_at, task in enumerate(self._tables.tasks.values()):
            if looked_at >= _LOOKED_AT_MAX or len(found) > count_max:
                more = True
                break
            if task is not exact and self._fits(task, message, states):
                found.append(self._describe(task))
        more = more or len(found) > count_max
        nbytes = sum(len(one.key) + _ROW_NBYTES for one in found)
        client.outbox.add(TasksFound(message.request, found[:count_max], more), nbytes)

    def _fits(self, task: Task, message: FindTasks, states: frozenset[str]) -> bool:
        if message.text not in task.key or (states and task.state not in states):
            return False
        return not message.group or _group_of(task) == message.group

    def _describe(self, task: Task) -> TaskDescription:
        if task.worker is not None:
            workers = [task.worker.name]
        else:
            workers = [worker.name for worker in task.latest_holders(_NAMED_MAX)]
        return TaskDescription(
            task.key,
            _group_of(task),
            task.state,
            task.attempt,
            min(task.nbytes, NBYTES_MAX),
            workers,
            [source.key for source in task.dependencies[:_NAMED_MAX]],
            task.dependents_count,
        )

    def describe_graph(self, client: Client, message: DescribeGraph) -> None:
        """Answer what depends on what: task by task if they are few, else by function and state."""
        tasks = self._tables.tasks
        nodes_max = min(message.nodes_max, _NODES_MAX)
        single = len(tasks) <= nodes_max
        nodes: list[GraphNode] = []
        places: dict[object, int] = {}
        edges: dict[tuple[int, int], None] = {}

        def place(task: Task) -> int:
            name: object = task.key if single else (_group_of(task), task.state)
            index = places.get(name)
            if index is None:
                if len(nodes) >= nodes_max and not single:
                    name = ("(others)", task.state)
                    index = places.get(name)
                if index is None:
                    index = places[name] = len(nodes)
                    group = _group_of(task) if single or name[0] != "(others)" else "(others)"  # type: ignore[index]
                    nodes.append(GraphNode(task.key if single else "", group, task.state, 0))
            return index

        for looked_at, task in enumerate(tasks.values()):
            if looked_at >= _GRAPH_TASKS_MAX:
                break
            target = place(task)
            nodes[target].count += 1
            for source in task.dependencies:
                # (Records of forgotten tasks may still be referred to.)
                if tasks.get(source.key) is source:
                    edges[place(source), target] = None
        answer = GraphDescribed(
            message.request,
            nodes,
            [source for source, _ in edges],
            [target for _, target in edges],
            single,
        )
        client.outbox.add(answer, sum(len(node.key) + 64 for node in nodes) + 8 * len(edges))


def _group_of(task: Task) -> str:
    return SCATTERED_GROUP if task.kind is None else task.kind.label
