"""Modules that are loaded, and those that are not yet."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from hocket.core.loaded_modules import loaded_module

HALF = """
from hocket.core.loaded_modules import loaded_module

seen_while_loading = loaded_module(__name__)
"""


def test_a_module_counts_once_all_of_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "looks_at_itself.py").write_text(HALF)
    monkeypatch.syspath_prepend(tmp_path)
    assert loaded_module("looks_at_itself") is None
    module = importlib.import_module("looks_at_itself")
    assert module.seen_while_loading is None
    assert loaded_module("looks_at_itself") is module
    del sys.modules["looks_at_itself"]


def test_what_stands_among_modules_may_be_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "refused", None)
    assert loaded_module("refused") is None
    assert loaded_module("sys") is sys
