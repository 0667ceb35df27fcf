"""Variants that each file stores apart in its own way, as one dataset."""

from itertools import product
from pathlib import Path

import pytest

import hocket.parquet as hp

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the corpus is not there")
def test_shredded_variants_of_two_files():
    read = {}
    for place in sorted(DATA.rglob("shredded_variant/*.parquet")):
        try:
            read[place] = hp.ParquetFile(place).to_pandas(nested="python")["var"].tolist()
        except hp.ParquetError:
            continue
    joined = 0
    places = list(read)
    for at, step in product(range(len(places)), (1, 5, 23)):
        one, other = places[at], places[at - step]
        try:
            opened = hp.ParquetFile([one, other])
        except hp.SchemaMismatch as error:
            assert "var" in str(error)  # noqa: PT017 - most pairs raise none
            continue
        found = opened.to_pandas(nested="python")["var"].tolist()
        assert repr(found) == repr(read[one] + read[other]), (one, other)
        joined += opened._collection.agreement is not None
    assert joined > 10
