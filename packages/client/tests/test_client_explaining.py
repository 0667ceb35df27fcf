"""Explanations: values for programs, text for people."""

from __future__ import annotations

import pytest

from hocket.client.explaining import Explained, explained_of
from hocket.core.errors import RemoteProtocolError
from hocket.protocol.messages import Explanation


def test_an_unknown_key() -> None:
    explained = explained_of(Explanation("k", "", ""))
    assert explained == Explained("k", "", "")
    assert str(explained) == "'k': the scheduler knows nothing of it"


def test_a_task_that_nobody_can_run() -> None:
    explained = explained_of(
        Explanation(
            "k",
            "queued",
            "no worker that is here can run it",
            considered=["w0", "w1", "w2"],
            refusals=["it has no GPU", "it is not among workers=", "it has no GPU"],
        )
    )
    assert explained.refusals["w2"] == "it has no GPU"
    assert str(explained).splitlines() == [
        "'k' is queued: no worker that is here can run it",
        "  not on w0, w2: it has no GPU",
        "  not on w1: it is not among workers=",
    ]


def test_a_task_that_waits_and_one_that_runs() -> None:
    waiting = explained_of(Explanation("k", "waiting", "", waits_for=["a", "('b', 1)"]))
    assert str(waiting) == "'k' is waiting\n  it waits for 'a', \"('b', 1)\""
    assigned = explained_of(Explanation("k", "assigned", "attempt 3", workers=["w1"]))
    assert str(assigned) == "'k' is assigned: attempt 3\n  on w1"
    assert hash(assigned.workers) is not None


def test_long_lists_are_shortened_in_the_text_only() -> None:
    names = [f"w{number}" for number in range(1500)]
    explained = explained_of(
        Explanation("k", "queued", "", considered=names, refusals=["it is full"] * 1500)
    )
    assert len(explained.refusals) == 1500
    assert str(explained).endswith("w9 and 1,490 more: it is full")
    explained = explained_of(
        Explanation("k", "queued", "", considered=names[:12], refusals=names[:12])
    )
    assert len(str(explained).splitlines()) == 12
    assert "2 more reasons" in str(explained)


def test_workers_without_reasons_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="1 workers and 2 refusals"):
        explained_of(Explanation("k", "queued", "", considered=["w"], refusals=["a", "b"]))
