"""Our pages: each draws, keeps up, and says in a table what it shows."""

from __future__ import annotations

import inspect
import json
import textwrap

import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from bokeh.themes import Theme as BokehTheme
from made_up_feed import MadeUpWatch

from hocket.core.errors import SettingsError
from hocket.diagnostics import plot, plots, table
from hocket.diagnostics.plots.graph import lay_out
from hocket.diagnostics.theme import DARK, LIGHT
from hocket.diagnostics.view import View
from hocket.diagnostics.visuals import BOOK, Book, Page, Visual
from hocket.protocol.messages.feed import WorkerGone

assert plots  # They are made when this is imported.
VISUALS = [
    (role, visual)
    for role in ("scheduler", "worker")
    for page in BOOK.pages(role)
    for visual in page.visuals
]
PLOTS = [one for one in VISUALS if not one[1].is_table]
TABLES = [one for one in VISUALS if one[1].is_table]


def name_of(value):
    return value.name if isinstance(value, Visual) else value


def watch_with_answers():
    watch = MadeUpWatch()
    for _, visual in VISUALS:
        if visual.asks is not None:
            watch.model.answers[visual.name] = watch.cluster.answer(visual.asks("inc"))
    return watch


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize(("role", "visual"), PLOTS, ids=name_of)
def test_every_plot_draws_and_keeps_up(role, visual, theme):
    watch = watch_with_answers()
    view = View(watch.model, theme, role=role, name="worker-0")
    document = Document()
    document.theme = BokehTheme(json=theme.to_bokeh())
    document.add_root(view.draw(visual.name, visual.draw))
    rows = [len(next(iter(source.data.values()))) for source in view.sources[visual.name]]
    assert sum(rows) > 0
    for _ in range(10):
        watch.step()
        view.tick()
    assert document.to_json()
    for source in view.sources[visual.name]:
        assert len({len(values) for values in source.data.values()}) == 1


@pytest.mark.parametrize(("role", "visual"), PLOTS, ids=name_of)
def test_every_plot_stands_an_empty_cluster(role, visual):
    watch = MadeUpWatch(steps=0)
    watch.model.workers.clear()
    view = View(watch.model, LIGHT, role=role, name="worker-0")
    view.draw(visual.name, visual.draw)
    watch.model.version += 1
    view.tick()


@pytest.mark.parametrize(("role", "visual"), TABLES, ids=name_of)
def test_every_table_has_rows_of_its_columns(role, visual):
    watch = watch_with_answers()
    watch.model.fold([WorkerGone(watch.cluster.now_s, "worker-9", "it left")])
    rows = list(visual.draw(watch.model, "inc"))
    assert rows
    for row in rows:
        assert set(visual.columns) & set(row), row
    assert visual.title
    json.dumps(rows, default=str)


@pytest.mark.parametrize(("role", "visual"), VISUALS, ids=name_of)
def test_every_visual_says_how_to_read_it(role, visual):
    assert visual.text, visual.name
    assert visual.title


def test_a_page_takes_few_lines():
    lengths = {
        visual.name: len(textwrap.dedent(inspect.getsource(visual.draw)).splitlines())
        for _, visual in VISUALS
    }
    short = [name for name, length in lengths.items() if length <= 30]
    assert len(short) > len(lengths) * 0.7


def test_names_that_urls_cannot_have_are_refused_with_a_remedy():
    with pytest.raises(SettingsError, match="follows from the function's name"):

        @plot("Mine")
        def api(view):
            return None

    book = Book()
    with pytest.raises(SettingsError):
        book.put(Page("../x", "X", "scheduler"))


def test_a_visual_made_again_takes_the_place_of_the_former():
    book = Book()
    for text in ("one", "two"):
        book.add("worker", "p", Visual("v", "V", text, lambda view: None))
    page = book.page("worker", "p")
    assert page is not None
    assert [visual.text for visual in page.visuals] == ["two"]
    assert book.pages("scheduler") == []


def test_the_decorators_give_the_function_back():
    def rows_of(model, words):
        """Say it."""
        return [{"a": 1}]

    assert table("Rows", {"a": "A"}, on="made-up-page", role="worker")(rows_of) is rows_of
    visual = BOOK.visual("worker", "rows-of")
    assert visual is not None
    assert visual.text == "Say it."
    BOOK.page("worker", "made-up-page").visuals.clear()


def test_layers_follow_what_depends_on_what():
    places = lay_out(4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert [x for x, _ in places] == [0.0, 1.0, 1.0, 2.0]
    assert len(set(places)) == 4
    # Nodes of many tasks may form circles.
    assert len(lay_out(3, [(0, 1), (1, 0), (2, 2)])) == 3


def test_what_is_the_same_is_not_sent(monkeypatch):
    watch = MadeUpWatch()
    view = View(watch.model, LIGHT)
    sent = []
    source = view.computed(lambda model: {"a": [1, 2, 3, 4], "n": [0, 0, 0, model.version % 2]})
    source.on_change("data", lambda attr, old, new: sent.append("all"))
    monkeypatch.setattr(ColumnDataSource, "patch", lambda _source, patches: sent.append(patches))
    view.tick()
    watch.model.version += 1
    view.tick()
    assert sent == [{"n": [(3, watch.model.version % 2)]}]


def test_tabs_share_what_is_computed():
    watch = MadeUpWatch()
    shared = {}
    calls = []
    for _ in range(5):
        view = View(watch.model, LIGHT, shared=shared)
        view.draw("x", lambda view: view.computed(lambda model: calls.append(1) or {"a": [1]}))
    assert len(calls) == 1
