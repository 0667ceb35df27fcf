"""The plan: everything that is to be computed, as one graph of tasks.

Nothing waits here. A task that takes another one's result is given that one's future, and starts,
wherever it suits, when the result is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data import read_month, read_table, unpack
from questions import QUESTIONS, add_up

__all__ = ["Plan", "make_plan"]

#: So many tables are added up by one task.
FAN_IN = 4

SMALL_TABLES = ("airlines", "airports", "planes", "weather")


@dataclass
class Plan:
    """The futures of a plan's tasks."""

    #: The tasks that read: afterwards, the workers hold the data.
    load: list[Any]
    #: The tasks that compute, the answers included.
    compute: list[Any]
    #: Of each question, by name, the last task.
    answers: dict[str, Any]


def make_plan(client: Any, months: Sequence[int] = range(1, 13)) -> Plan:
    """Submit everything that the answers take.

    Parameters
    ----------
    client
        A `hocket.client.Client`, or anything with its ``submit`` and ``map``.
    months
        The months to read, 1 to 12; each is a part of its own.
    """
    csv = client.submit(unpack)
    parts = [client.submit(read_month, csv, month) for month in months]
    tables = {name: client.submit(read_table, name) for name in SMALL_TABLES}
    plan = Plan(load=[csv, *parts, *tables.values()], compute=[], answers={})
    for question in QUESTIONS:
        given = [tables[name] for name in question.partial_tables]
        sums = [client.submit(question.partial, part, *given) for part in parts]
        plan.compute += sums
        while len(sums) > 1:
            groups = [sums[at : at + FAN_IN] for at in range(0, len(sums), FAN_IN)]
            sums = client.map(add_up, groups)
            plan.compute += sums
        given = [tables[name] for name in question.finish_tables]
        answer = client.submit(question.finish, *sums, *given)
        plan.compute.append(answer)
        plan.answers[question.name] = answer
    return plan
