"""How encodings are chosen: what is tried stays small, whatever the values are."""

from __future__ import annotations

import io

import pytest

import hocket.parquet as hp
from hocket.parquet.encode import choice


@pytest.fixture
def tried(monkeypatch) -> list[int]:
    """Return how many bytes were compressed at a time to find out what is best."""
    sizes: list[int] = []
    compress = choice.compress

    def noted(codec, plain, level):
        sizes.append(memoryview(plain).nbytes)
        return compress(codec, plain, level)

    monkeypatch.setattr(choice, "compress", noted)
    return sizes


@pytest.mark.parametrize(
    "texts",
    [
        ["y" * 3_000_000, "z" * 2_000_000, "y" * 3_000_000],
        ["y" * 5_000_000],
        [*"ab" * 10_000, "z" * 5_000_000],
    ],
    ids=["few", "one", "one among many"],
)
def test_samples_of_huge_texts_are_small(tried, texts):
    file = io.BytesIO()
    hp.write(file, {"x": texts})
    assert hp.read(file)["x"].tolist() == texts
    assert max(tried) < 1 << 20


def test_long_texts_that_come_again_go_into_a_dictionary():
    """Though only the beginnings of them are in the sample."""
    texts = [f"{number} " * 100_000 for number in range(3)] * 20
    file = io.BytesIO()
    hp.write(file, {"x": texts}, compression=None)
    assert len(file.getvalue()) < 1_000_000
    assert hp.read(file)["x"].tolist() == texts
