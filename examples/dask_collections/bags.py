"""dask.bag: makers and models of the planes, as plain Python has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import dask.bag as db
import pandas as pd


def answers(planes: pd.DataFrame) -> Iterator[tuple[str, object, object]]:
    """Yield what was asked, dask's answer, and Python's."""
    records = planes[["manufacturer", "model", "seats"]].to_dict("records")
    bag = db.from_sequence(records, npartitions=12)

    words = bag.pluck("manufacturer").map(str.lower).map(str.split).flatten()
    common = dict(words.frequencies().topk(4, key=1).compute())
    counted = Counter(word for one in records for word in one["manufacturer"].lower().split())
    yield "words in makers' names", common, dict(counted.most_common(4))

    seats = bag.foldby("manufacturer", lambda total, one: total + one["seats"], 0, int.__add__, 0)
    largest = dict(seats.topk(3, key=1).compute())
    expected = planes.groupby("manufacturer").seats.sum().nlargest(3)
    yield "seats, by maker", largest, expected.to_dict()

    groups = bag.groupby(lambda one: one["seats"] // 100).map(lambda pair: (pair[0], len(pair[1])))
    by_size = dict(sorted(groups.compute()))
    expected = (planes.seats // 100).value_counts().sort_index()
    yield "planes, by hundreds of seats", by_size, expected.to_dict()
