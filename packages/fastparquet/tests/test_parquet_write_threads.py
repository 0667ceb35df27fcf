"""Files written by several threads at once, in one write and in several."""

from __future__ import annotations

import io
import threading

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet.writing import group_writer


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """Return the names of threads that were started."""
    names: list[str] = []
    start = threading.Thread.start

    def noted(self):
        names.append(self.name)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", noted)
    return names


def test_small_columns_are_not_worth_a_thread(started):
    """It would wait for the interpreter, and everybody for it."""
    frame = pd.DataFrame(np.zeros((50, 40)), columns=[f"c{n}" for n in range(40)])
    hp.write(io.BytesIO(), frame, threads=4, row_group_rows=5)
    assert started == []
    hp.write(io.BytesIO(), {"a": np.arange(100_000), "b": np.arange(100_000)}, threads=2)
    assert len(started) == 1


def test_several_write_one_path(tmp_path):
    """One of them wins, whole; nothing else is left."""
    place, failed = tmp_path / "x.parquet", []

    def write(number):
        try:
            for _ in range(5):
                hp.write(place, {"a": np.full(1000, number)})
                (found,) = set(hp.read(place)["a"])
                assert found in range(4)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert [each.name for each in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch, threads):
    """Neither a file nor a thread, wherever it comes."""
    data = {name: np.arange(20_000) for name in "abcdef"}
    hp.write(tmp_path / "x.parquet", {"a": np.arange(3)})
    encode = group_writer.encode_chunk
    for when in range(1, 7):
        left = [when]

        def interrupted(*arguments, left=left, **options):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return encode(*arguments, **options)

        monkeypatch.setattr(group_writer, "encode_chunk", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hp.write(tmp_path / "x.parquet", data, threads=threads)
        assert [each.name for each in tmp_path.iterdir()] == ["x.parquet"]
        assert hp.ParquetFile(tmp_path / "x.parquet").count() == 3
        assert not [each for each in threading.enumerate() if each.name.startswith("hocket")]
