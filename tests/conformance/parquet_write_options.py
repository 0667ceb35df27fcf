"""Options of our writer for the tests in which others read what it wrote."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["write_options"]


@st.composite
def write_options(draw: Any, *, codecs: tuple[str | None, ...], versions: tuple[int, ...]) -> Any:
    """Return options that change how a file looks, and not what is in it."""
    return {
        "compression": draw(st.sampled_from(codecs)),
        "dictionary": draw(st.sampled_from([None, None, True, False])),
        "page_version": draw(st.sampled_from(versions)),
        "page_nbytes": draw(st.sampled_from([200, 5000, 1 << 20])),
        "page_rows": draw(st.sampled_from([7, 100, 50_000])),
        "row_group_rows": draw(st.sampled_from([50, 1000])),
        "statistics": draw(st.booleans()),
        "page_index": draw(st.sampled_from([None, True, False])),
        "checksums": draw(st.booleans()),
        "bloom_filters": draw(st.sampled_from([None, True])),
    }
