"""The page for those who come from dask.distributed: all of its names, and the truth about ours."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import hocket.client

distributed = pytest.importorskip("distributed")

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from-dask.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|(.*)\|$", re.MULTILINE)
#: What a backquoted name of ours looks like, in the tables and around them.
OURS = re.compile(r"`((?:hocket\.|Client\.|Future\.)[\w.]+)`")

OWNERS: dict[str, tuple[Any, Any]] = {
    "Client": (distributed.Client, hocket.client.Client),
    "Future": (distributed.Future, hocket.client.Future),
    "Module": (distributed, hocket.client),
}


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[tuple[str, str, str]]:
    return ROW.findall(section(title))


@pytest.mark.parametrize("title", OWNERS)
def test_every_name_is_there_once(title: str) -> None:
    theirs = OWNERS[title][0]
    public = theirs.__all__ if title == "Module" else dir(theirs)
    names = sorted(name for name in public if not name.startswith("_"))
    assert [name for name, _, _ in rows(title)] == names


@pytest.mark.parametrize("title", OWNERS)
def test_what_is_said_is_true(title: str) -> None:
    ours = OWNERS[title][1]
    # (What was imported before may be there as a module.)
    public = set(ours.__all__) if title == "Module" else set(dir(ours))
    public |= set(getattr(ours, "__struct_fields__", ()))
    for name, kind, text in rows(title):
        assert kind in ("same", "different", "absent"), name
        if kind == "same":
            assert name in public, name
        elif kind == "absent":
            assert name not in public, name
            assert text, f"{name}: why?"
        else:
            assert name in public or OURS.search(text) or "Python's own" in text or "secret" in text
            assert text, f"{name}: how?"


@pytest.mark.parametrize("name", sorted(set(OURS.findall(PAGE))))
def test_names_of_ours_are_there(name: str) -> None:
    if name == "hocket.client.joblib":
        pytest.importorskip("joblib")
    path = name if name.startswith("hocket.") else f"hocket.client.{name}"
    module, _, attribute = path.rpartition(".")
    try:
        found: Any = importlib.import_module(path)
    except ImportError:
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ImportError:
            room, _, owner = module.rpartition(".")
            found = getattr(getattr(importlib.import_module(room), owner), attribute)
    assert found is not None
