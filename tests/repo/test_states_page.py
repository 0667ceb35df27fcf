"""The page of task states is what the scheduler's table of moves says now."""

from __future__ import annotations

from typing import get_args

import states_page
from hocket.scheduler.moves import TRANSITIONS
from hocket.scheduler.state import TaskState


def test_the_page_is_fresh(capsys):
    assert states_page.main(["--check"]) == 0, capsys.readouterr().err


def test_the_page_draws_every_move_and_explains_every_state():
    page = states_page.page()
    drawn = [line.strip() for line in page.splitlines() if " --> " in line]
    assert len(drawn) == len(TRANSITIONS) + 2
    for one in TRANSITIONS:
        assert any(line.startswith(f"{one.source} --> {one.target}: ") for line in drawn)
    assert states_page.meanings().keys() == set(get_args(TaskState))


def test_a_stale_page_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(states_page, "PAGE", tmp_path / "states.md")
    assert states_page.main(["--check"]) == 1
    assert "tools/do.py docs" in capsys.readouterr().err
    assert states_page.main([]) == 0
    assert states_page.main(["--check"]) == 0
