"""Plain tasks rather go to workers without GPUs, as long as threads of those have nothing to do."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from scheduler_house import House

from hocket.protocol.messages import RunTasks, TasksDone


def given_out(house: House) -> dict[str, int]:
    """Return which worker each task was given to in this turn."""
    return {
        key: id_
        for id_, messages in house.turn().items()
        for message in messages
        if isinstance(message, RunTasks)
        for key in message.keys
    }


def mixed(gpus: dict[int, float], threads: int = 2, **limits: float) -> House:
    house = House(workers=0, **limits)
    for id_, count in gpus.items():
        house.join(id_, threads=threads, resources={"GPU": count} if count else {})
    return house


def test_plain_tasks_go_to_threads_of_others_first() -> None:
    # (Among equals the first that joined would be taken.)
    house = mixed({1: 1.0, 2: 0.0, 3: 0.0})
    house.submit(list("abcd"))
    assert sorted(given_out(house).values()) == [2, 2, 3, 3]
    # Then it is no reason to wait.
    house.submit(list("ef"))
    assert given_out(house) == {"e": 1, "f": 1}


def test_tasks_for_gpus_still_go_to_them() -> None:
    house = mixed({1: 2.0, 2: 0.0})
    house.submit(list("ab"), resources={"GPU": 1.0})
    assert given_out(house) == {"a": 1, "b": 1}


def test_so_do_tasks_with_other_demands() -> None:
    house = House(workers=0)
    house.join(1, threads=2, resources={"GPU": 1.0, "licence": 4.0})
    house.join(2, threads=2, resources={"licence": 4.0})
    house.submit(list("abc"), resources={"licence": 1.0})
    given_to = given_out(house)
    assert (given_to["a"], given_to["b"], given_to["c"]) == (2, 2, 1)


def test_inputs_count_for_more() -> None:
    house = mixed({1: 1.0, 2: 0.0})
    house.submit(["made"], resources={"GPU": 1.0})
    given_out(house)
    house.say(1, TasksDone(["made"], [1], [10**9], [0.0], [0.01], [None]))
    house.submit(["read"], [[1]], known=["made"])
    assert given_out(house) == {"read": 1}


@given(st.integers(1, 4), st.integers(1, 30), st.sampled_from([0.0, 1.0]))
def test_where_all_are_of_one_kind_nothing_changes(workers: int, count: int, gpus: float) -> None:
    ids = range(1, workers + 1)
    one, other = mixed(dict.fromkeys(ids, gpus)), mixed(dict.fromkeys(ids, 0.0))
    keys = [f"k{number}" for number in range(count)]
    for house in (one, other):
        house.submit(keys)
    assert given_out(one) == given_out(other)


@given(
    st.dictionaries(st.integers(1, 6), st.sampled_from([0.0, 1.0]), min_size=1),
    st.integers(1, 3),
    st.integers(1, 40),
)
def test_no_thread_is_left_idle_for_it(gpus: dict[int, float], threads: int, count: int) -> None:
    house = mixed(gpus, threads)
    house.submit([f"k{number}" for number in range(count)])
    taken = list(given_out(house).values())
    busy = {id_: taken.count(id_) for id_ in gpus}
    assert sum(min(one, threads) for one in busy.values()) == min(count, threads * len(gpus))
    without = [id_ for id_, amount in gpus.items() if not amount]
    if count <= threads * len(without):
        assert set(taken) <= set(without)
