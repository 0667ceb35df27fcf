"""The READMEs keep their word: their Python runs, their links lead somewhere, their verbs exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import do
from workspace import ROOT, packages

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("examples/**/*.md"),
    *ROOT.glob("packages/*/README.md"),
]


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def snippets():
    for page in [ROOT / "README.md", *(package.folder / "README.md" for package in packages())]:
        for number, code in enumerate(blocks(page.read_text(encoding="utf-8"))):
            yield pytest.param(code, id=f"{page.relative_to(ROOT).parent}-{number}")


@pytest.mark.slow
@pytest.mark.parametrize("code", list(snippets()))
def test_the_python_of_a_readme_runs_and_prints_what_its_comments_say(code, tmp_path):
    script = tmp_path / "snippet.py"
    script.write_text(code, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    promised = re.findall(r"print\(.*\) +# (.*)$", code, flags=re.MULTILINE)
    if promised:
        assert ran.stdout.splitlines() == promised


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_inside_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_chores_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`(?:python3? )?tools/do\.py ([a-z]+)", text)
    named += re.findall(r"^make ((?:[a-z]+ ?)+)", text, flags=re.MULTILINE)
    named += re.findall(r"`make ([a-z]+)", text)
    for verb in " ".join(named).split():
        assert verb in {*do.VERBS, "help"}


def test_the_readme_begins_with_the_two_commands():
    commands = re.findall(r"^make [a-z]+", README, flags=re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


def test_the_table_of_packages_names_all():
    for package in packages():
        assert f"`{package.name}`" in README
