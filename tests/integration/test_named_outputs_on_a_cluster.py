"""Tasks that return several named results, on real clusters."""

from __future__ import annotations

import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from hocket.client import Client
from hocket.core.errors import DuplicateKey, SettingsError, TaskCancelled
from hocket.core.named_outputs import WrongOutputs
from hocket.deploy import LocalCluster


def stats(*values: float) -> dict[str, float]:
    mean = sum(values) / len(values)
    return {"mean": mean, "spread": max(values) - min(values)}


def test_each_is_a_future(client: Client) -> None:
    parts = client.submit(stats, 1, 2, 6, outputs=("mean", "spread"))
    assert list(parts) == ["mean", "spread"]
    assert client.gather(parts) == {"mean": 3.0, "spread": 5}
    assert client.submit(max, parts["mean"], parts["spread"]).result() == 5
    assert parts["mean"].key.endswith("[mean]")
    assert parts["mean"].key.startswith("stats-")


def test_a_map_has_them_for_each_call(client: Client) -> None:
    rows = client.map(stats, range(700), range(1, 701), outputs=["mean", "spread"], key="row")
    assert [row["mean"].key.split("-")[0] for row in rows] == ["row"] * 700
    assert client.gather(rows) == [{"mean": n + 0.5, "spread": 1} for n in range(700)]


class Large:
    """Says when it goes."""

    alive: Any = weakref.WeakSet()
    #: So it does not come along with the news that it is there.
    nbytes = 1 << 20

    def __init__(self, name: str) -> None:
        self.name = name
        Large.alive.add(self)

    def __reduce__(self) -> Any:
        raise AssertionError(f"{self.name} was copied")


def make_large() -> tuple[Large, Large]:
    return Large("first"), Large("second")


def alive() -> list[str]:
    return sorted(one.name for one in Large.alive)


def name_of(large: Large) -> str:
    return large.name


@pytest.mark.slow
def test_parts_are_not_copied_and_do_not_keep_each_other() -> None:
    with LocalCluster(1, 1) as cluster, Client(cluster) as client:
        parts = client.submit(make_large, outputs=("first", "second"))
        assert client.submit(name_of, parts["second"]).result() == "second"
        del parts["second"]
        _until(lambda: client.submit(alive).result() == ["first"])
        assert client.submit(name_of, parts["first"]).result() == "first"


def _until(holds: Any) -> None:
    end_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def fail(text: str) -> dict[str, int]:
    raise LookupError(text)


def test_an_error_is_that_of_the_function(client: Client) -> None:
    parts = client.submit(fail, "nothing there", outputs=("a", "b"))
    for future in parts.values():
        with pytest.raises(LookupError, match="nothing there") as caught:
            future.result()
        frames = []
        trace = caught.value.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert frames[-1] == "fail"


def test_wrong_names_are_named(client: Client) -> None:
    parts = client.submit(stats, 1, 2, outputs=("mean", "spread", "median"))
    assert parts["mean"].result() == 1.5
    with pytest.raises(WrongOutputs, match="without the output median"):
        parts["median"].result()


def test_the_same_key_again_makes_nothing_again(client: Client) -> None:
    parts = client.submit(clock, key="when", outputs=("now", "later"))
    now = parts["now"].result()
    again = client.submit(clock, key="when", outputs=("now", "later"))
    assert again["now"].result() == now
    with pytest.raises(DuplicateKey):
        client.submit(stats, 1, key="when", outputs=("now", "later"))


def clock() -> tuple[int, int]:
    now = time.time_ns()
    return now, now + 1


def test_pure_calls_are_made_once(client: Client) -> None:
    first = client.submit(clock, pure=True, outputs=("now", "later"))
    values = client.gather(first)
    assert client.gather(client.submit(clock, pure=True, outputs=("now", "later"))) == values


def leave_trace(path: Path) -> tuple[int, int]:
    path.touch()
    return 1, 2


def test_cancelled_parts_let_go_of_the_whole(client: Client, tmp_path: Path) -> None:
    slots = [client.submit(time.sleep, 0.2) for _ in range(2)]
    parts = client.submit(leave_trace, tmp_path / "trace", outputs=("mean", "spread"))
    client.cancel(parts)
    with pytest.raises(TaskCancelled):
        parts["mean"].result()
    client.gather(slots)
    # (Whatever waits for a slot was begun by now.)
    client.gather([client.submit(time.sleep, 0.05) for _ in range(2)])
    assert not (tmp_path / "trace").exists()


def test_who_asks_wrongly_is_told(client: Client) -> None:
    for outputs in ("mean", (), ("a", "a"), ("",), (1,), 5):
        with pytest.raises(SettingsError, match="outputs"):
            client.submit(stats, 1, outputs=outputs)  # type: ignore[call-overload]
    with pytest.raises(SettingsError, match="pure"):
        client.map(stats, [1], outputs=["mean"], pure=True)
    with pytest.raises(SettingsError, match="beside outputs="):
        client.map(stats, [1], outputs=["mean"], key=["a"])
    with pytest.raises(TypeError, match=r"functools\.partial"):
        client.submit(takes_outputs, outputs=["mean"])


def takes_outputs(outputs: object) -> object:
    return outputs
