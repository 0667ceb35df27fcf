"""What futures and clients look like in notebooks."""

from __future__ import annotations

from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.client import Client
from hocket.client.showing import future_html, table_html
from hocket.client.states import FAILED, STORED, FutureState
from hocket.protocol.messages import Failure, FailureKind

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)


class Reader(HTMLParser):
    """Keeps the texts, and complains of what does not match."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> list[str]:
    """Return the texts of well-formed HTML."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader.texts


def test_a_future_with_a_value() -> None:
    texts = read(future_html(FutureState("sum-1", STORED, nbytes=2048)))
    assert texts[-6:] == ["key", "sum-1", "status", "finished", "size", "2 KiB"]


def test_a_future_that_failed_says_why() -> None:
    text = "Traceback (most recent call last):\n  File ...\nValueError: <b>no</b>"
    failure = Failure(FailureKind.RAISED, "sum-1", text, b"", "worker-3", 1)
    texts = read(future_html(FutureState("sum-1", FAILED, failure=failure)))
    assert "ValueError: <b>no</b>" in texts
    assert "worker-3" in texts


@given(TEXTS, TEXTS)
def test_text_is_text(name: str, value: str) -> None:
    texts = read(table_html("Client", {name: value}, link=value))
    assert texts == ["Client", " ", "pages", name, value]


def test_futures_and_clients_of_a_cluster(client: Client, scheduler: Any) -> None:
    future = client.submit(abs, -1)
    assert future.key in read(future._repr_html_())
    texts = read(client._repr_html_())
    assert client.name in texts
    assert "pages" not in texts
    client.cluster = SimpleNamespace(dashboard_link="http://127.0.0.1:1/")
    assert "pages" in read(client._repr_html_())
    client.close()
    assert "closed" in read(client._repr_html_())


@pytest.mark.parametrize("text", ["", "   "])
def test_a_failure_without_words(text: str) -> None:
    failure = Failure(FailureKind.LOST, "sum-1", text, b"", "", 1)
    assert "lost" in read(future_html(FutureState("sum-1", FAILED, failure=failure)))
