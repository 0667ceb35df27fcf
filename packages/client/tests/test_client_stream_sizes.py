"""What is taken of a stream is as large as what was made, to the byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hocket.client import Client
from hocket.client.stream_flow import StreamFlow


def texts(items_count: int) -> Iterator[str]:
    for length in range(items_count):
        yield "x" * length


@pytest.mark.parametrize("wants_values", [True, False])
def test_nothing_of_a_slice_is_left_over(
    client: Client, monkeypatch: pytest.MonkeyPatch, *, wants_values: bool
) -> None:
    # (Over millions of items remainders would add up, until nothing has room.)
    made, taken, told = [0, 0], [0, 0], StreamFlow.made

    def note_made(flow: StreamFlow, news: object) -> None:
        made[0] += news.items_count  # type: ignore[attr-defined]
        made[1] += news.nbytes  # type: ignore[attr-defined]
        told(flow, news)  # type: ignore[arg-type]

    def note_taken(_flow: StreamFlow, items_count: int, nbytes: int) -> None:
        taken[0] += items_count
        taken[1] += nbytes

    monkeypatch.setattr(StreamFlow, "made", note_made)
    monkeypatch.setattr(StreamFlow, "taken", note_taken)
    stream = client.stream(texts, 200)
    assert len(list(stream.values() if wants_values else stream)) == 200
    assert made[0] == 200
    assert made == taken
