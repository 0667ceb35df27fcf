"""Two clusters in one program: what is of one is refused by the other, everywhere."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import pytest

from hocket.client import Client, Future, Variable
from hocket.core.errors import OtherCluster
from hocket.deploy import LocalCluster


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[LocalCluster, LocalCluster]]:
    with LocalCluster(1, 1, processes=False) as near, LocalCluster(1, 1, processes=False) as far:
        yield near, far


class Reader:
    """An actor that is handed futures."""

    def read(self, future: Future) -> Any:
        return future.result(timeout=10)


def test_two_clusters_in_one_program(both: tuple[LocalCluster, LocalCluster]) -> None:
    near, far = both
    with Client(near) as client, Client(far) as other:
        assert client.cluster_id != other.cluster_id
        future = other.submit(operator.neg, 1, key="theirs")
        for use in (
            lambda: client.submit(abs, future),
            lambda: client.gather([future]),
            lambda: client.publish_dataset(x=[future]),
        ):
            with pytest.raises(OtherCluster, match=f"'theirs'.*{other.cluster_id}"):
                use()
        assert other.submit(abs, future).result(timeout=10) == 1


def test_clients_of_one_cluster_hand_futures_on(both: tuple[LocalCluster, LocalCluster]) -> None:
    near, far = both
    with Client(near) as first, Client(far), Client(near) as second:
        assert first.cluster_id == second.cluster_id
        for number in range(5):
            # It has not arrived when the other speaks of it, each in turn.
            many = first.map(operator.neg, range(number, number + 3000))
            sums = second.map(operator.add, many[-2:], many[-2:])
            future = first.submit(sum, [*sums, many[0]])
            Variable("v", second).set(future)
            del many, sums
            assert second.gather(future) == -5 * number - 4 * 2999 + 2
            assert Variable("v", first).get(timeout=10).result(timeout=10) == future.result()
        graph = {"a": future, "b": (operator.neg, "a")}
        assert second.get(graph, ["a", "b"]) == [future.result(), -future.result()]
        # Unpickled, it is of a client of its cluster, whichever was made last.
        first.publish_dataset(handed=future)
        assert second.submit(abs, second.get_dataset("handed")).result(timeout=10) > 0
        assert first.actor(Reader).read(future).result(timeout=10) == future.result()
