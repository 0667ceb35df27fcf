"""Bars in notebooks: what is displayed, as IPython is told of it."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from hocket.client.notebook_bars import NotebookBars, is_notebook


@pytest.fixture
def displayed(monkeypatch):
    """Stand in for IPython in a notebook; return all that was shown."""
    shown = []
    handle = SimpleNamespace(update=lambda it: shown.append(it._repr_html_()))

    def display(it, *, display_id):
        assert display_id
        handle.update(it)
        return handle

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_bars_are_drawn_and_in_the_end_are_whole(displayed):
    assert is_notebook()
    with NotebookBars({"load": 3, "<b>": 2}) as bars:
        bars.advance("load", 2, 0)
        bars.advance("load", 1, 1)
        bars.advance("<b>", 1, 0)
        assert repr(bars) == "load 3/3, <b> 1/2"
    assert "0 of 3" in displayed[0]
    assert "3 of 3, 1 failed" in displayed[-1]
    assert '<td style="text-align: left">&lt;b&gt;</td>' in displayed[-1]
    # Many that end at once are not drawn one by one.
    assert len(displayed) <= 3


def test_a_terminal_is_no_notebook(displayed, monkeypatch):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", SimpleNamespace)
    assert not is_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not is_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not is_notebook()
