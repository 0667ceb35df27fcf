"""Drawings: escaping, formats, limits."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import InvariantBroken, LimitExceeded, SettingsError, UnknownKey
from hocket.graph import Graph, Ref, Task, visualize
from hocket.graph.drawing import _dot_lines
from hocket.graph.indexed import index_entries

GRAPH = {"a": 1, ("b", 0): Task(max, (Ref("a"), [Ref("a")])), "c": Ref(("b", 0))}


def test_mermaid_shows_tasks_data_and_aliases():
    drawing = visualize(GRAPH, format="mermaid")
    assert drawing.format == "mermaid"
    assert str(drawing).splitlines() == [
        "flowchart TD",
        '  n0("int<br/>a")',
        "  n1[\"max<br/>('b', 0)\"]",
        '  n2("c")',
        "  n0 --> n1",
        "  n1 --> n2",
        "  classDef alias stroke-dasharray: 4 3",
        "  class n2 alias",
    ]
    assert drawing._repr_mimebundle_()["text/vnd.mermaid"] == drawing.text


@given(st.text(min_size=1))
def test_no_key_breaks_a_drawing(name):
    graph = {name: Task(max), "other" * 3: Ref(name)}
    mermaid = visualize(graph, format="mermaid").text.splitlines()
    assert len(mermaid) == 6
    label = re.fullmatch(r'  n0\["max<br/>([^"<>&`\\]*)"\]', mermaid[1])
    assert label
    lines = list(_dot_lines(Graph(graph), index_entries(graph)))
    assert len(lines) == 6
    label = re.fullmatch(r'  n0 \[label="max\\n((?:[^"\\]|\\\\|\\")*)"\]', lines[2])
    assert label
    shown = label[1].replace('\\"', '"').replace("\\\\", "\\").replace("&amp;", "&")
    if name.isprintable() and len(name) <= 60:
        assert shown == name
    else:
        assert shown.isascii() or shown.isprintable()


def test_long_keys_are_shortened():
    assert "x" * 57 + "..." in visualize({"x" * 61: 1}, format="mermaid").text
    assert "x" * 60 + '"' in visualize({"x" * 60: 1}, format="mermaid").text


def test_big_graphs_are_refused():
    graph = {str(i): Task(max, tuple([Ref("0")] * (i > 0))) for i in range(1001)}
    with pytest.raises(LimitExceeded, match="entries and references to draw") as caught:
        visualize(graph, format="mermaid")
    assert (caught.value.limit, caught.value.asked) == (2000, 2001)
    assert visualize(graph, format="mermaid", size_max=2001)
    with pytest.raises(UnknownKey):
        visualize({"a": Ref("b")}, format="mermaid")


@pytest.fixture
def no_dot(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_dot")
def test_without_graphviz_there_is_mermaid(tmp_path):
    assert visualize(GRAPH).format == "mermaid"
    path = tmp_path / "graph.mmd"
    assert visualize(GRAPH, path).text == path.read_text()
    for asked in ({"format": "svg"}, {"filename": tmp_path / "graph.svg"}):
        with pytest.raises(SettingsError, match="install Graphviz, or give 'mermaid'"):
            visualize(GRAPH, **asked)
    assert not (tmp_path / "graph.svg").exists()


def test_formats_that_do_not_exist():
    with pytest.raises(SettingsError, match="'svg' or 'mermaid'"):
        visualize(GRAPH, format="png")


@pytest.fixture
def fake_dot(monkeypatch, tmp_path):
    """Put a program in the place of dot that shows what it was given, or refuses it."""
    program = tmp_path / "dot"
    program.write_text(
        f"#!{sys.executable}\nimport sys\ntext = sys.stdin.read()\n"
        "if 'refuse' in text:\n    sys.exit('syntax error')\n"
        "print('<svg>', sys.argv[1:], text.count('->'), '</svg>')\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("fake_dot")
def test_with_graphviz_there_is_svg(tmp_path):
    drawing = visualize(GRAPH, tmp_path / "graph.svg")
    assert drawing == ("svg", "<svg> ['-Tsvg'] 2 </svg>\n")
    assert (tmp_path / "graph.svg").read_text() == drawing.text
    assert visualize(GRAPH).format == "svg"
    assert visualize(GRAPH, tmp_path / "graph.md").format == "mermaid"
    assert drawing._repr_mimebundle_()["image/svg+xml"] == drawing.text


@pytest.mark.usefixtures("fake_dot")
def test_what_dot_refuses_is_our_bug():
    with pytest.raises(InvariantBroken, match="syntax error"):
        visualize({"refuse": 1}, format="svg")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_what_is_meant():
    graph = {'<"&amp;\\n>': Task(max), "é": Ref('<"&amp;\\n>')}
    root = ET.fromstring(visualize(graph, format="svg").text)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(texts) == sorted(["max", '<"&amp;\\n>', "é"])
