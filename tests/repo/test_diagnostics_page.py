"""docs/diagnostics.md: its example is a page, its metrics are ours, and its board draws these."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from bokeh.document import Document
from made_up_feed import MadeUpWatch

from hocket.diagnostics.theme import LIGHT
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import BOOK
from hocket.diagnostics.web.metrics import METRICS
from hocket.diagnostics.web.server import load_pages

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "diagnostics.md").read_text(encoding="utf-8")


def test_the_example_is_a_page_of_thirty_lines_added_by_a_setting(tmp_path, monkeypatch):
    (example,) = re.findall(r'```python\n(""".*?)```', PAGE, re.DOTALL)
    assert len(example.splitlines()) <= 30
    (tmp_path / "my_pages_of_the_docs.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        load_pages(" my_pages_of_the_docs, ")
        visual = BOOK.visual("scheduler", "results")
        assert visual is not None
        assert visual in BOOK.page("scheduler", "results").visuals
        watch = MadeUpWatch()
        view = View(watch.model, LIGHT)
        document = Document()
        document.add_root(view.draw(visual.name, visual.draw))
        watch.step()
        view.tick()
        (source,) = view.sources["results"]
        assert len(source.data["nbytes"]) > 10
    finally:
        BOOK.page("scheduler", "results").visuals.clear()
        sys.modules.pop("my_pages_of_the_docs", None)


def test_a_module_that_cannot_be_imported_is_logged(caplog):
    load_pages("no_such_module_of_pages")
    assert "no_such_module_of_pages" in caplog.text


def test_each_metric_is_listed_with_what_it_is():
    listed = dict(re.findall(r"\| `(hocket_\w+)` \| (.*?) \|", PAGE))
    assert listed == METRICS


def test_the_board_draws_metrics_that_there_are():
    board = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    expressions = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", [])
    ]
    used = {name for text in expressions for name in re.findall(r"hocket_\w+", text)}
    assert used
    assert used <= set(METRICS)
