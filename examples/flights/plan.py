"""The plan: what is to be done, as two graphs of tasks.

Nothing waits here. A task that takes another one's result is given that one's future, and starts,
wherever it suits, when the result is there. Only between the two graphs somebody has to wait: what
a dataset has in it can be asked when it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data import read_table, unpack, write_month
from hocket.parquet import ParquetFile, SharedWriter
from questions import QUESTIONS, add_up

__all__ = ["Answering", "Loading", "answer", "load"]

#: So many tables are added up by one task.
FAN_IN = 4

SMALL_TABLES = ("airlines", "airports", "planes", "weather")


@dataclass
class Loading:
    """The futures of the tasks that bring the data to where it is asked for."""

    #: All of them.
    tasks: list[Any]
    #: Those that write a piece of the dataset each.
    pieces: list[Any]
    #: The small tables, by name: they stay in the workers.
    tables: dict[str, Any]


@dataclass
class Answering:
    """The futures of the tasks that answer."""

    #: All of them.
    tasks: list[Any]
    #: Of each question, by name, the last task.
    answers: dict[str, Any]


def load(client: Any, writer: SharedWriter, months: Sequence[int] = range(1, 13)) -> Loading:
    """Have the flights written as a Parquet dataset, and the small tables read.

    Parameters
    ----------
    client
        A `hocket.client.Client`, or anything with its ``submit`` and ``map``.
    writer
        Of the dataset, whose directory all workers have to see.
    months
        The months to write, 1 to 12; each is a piece of its own.
    """
    csv = client.submit(unpack)
    pieces = [client.submit(write_month, csv, month, writer) for month in months]
    tables = {name: client.submit(read_table, name) for name in SMALL_TABLES}
    return Loading([csv, *pieces, *tables.values()], pieces, tables)


def answer(client: Any, dataset: str, tables: dict[str, Any]) -> Answering:
    """Have all questions asked of each piece of the dataset, and their answers put together.

    Parameters
    ----------
    client
        As with `load`.
    dataset
        The directory of the dataset, as it is when all pieces are written.
    tables
        The small tables, by name.
    """
    # A task has one core: the others are other tasks'.
    flights = ParquetFile(dataset, threads=1)
    plan = Answering([], {})
    for question in QUESTIONS:
        # A piece is some hundred bytes that say where its columns are, and what to read of them.
        parts = flights.parts(list(question.columns), list(question.filters))
        given = [tables[name] for name in question.partial_tables]
        sums = [client.submit(question.partial, part, *given) for part in parts]
        plan.tasks += sums
        while len(sums) > 1:
            groups = [sums[at : at + FAN_IN] for at in range(0, len(sums), FAN_IN)]
            sums = client.map(add_up, groups)
            plan.tasks += sums
        given = [tables[name] for name in question.finish_tables]
        last = client.submit(question.finish, *sums, *given)
        plan.tasks.append(last)
        plan.answers[question.name] = last
    return plan
