"""The reference is what the docstrings say now."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import api_pages
from docstring_markdown import markdown_of

DOC = """Do a thing.

Then another::

    like this

and so on.

Parameters
----------
first, second
    What to do.

    With what.
**others
    Nothing.

Returns
-------
list of str, or None
    What was done.

Examples
--------
>>> do()  # doctest: +SKIP
[]
"""

MARKDOWN = """Do a thing.

Then another:

```text
like this
```

and so on.

**Parameters**

* `first`, `second`:
  What to do.

  With what.
* `**others`:
  Nothing.

**Returns**

* `list of str, or None`:
  What was done.

**Examples**

```pycon
>>> do()
[]
```"""


def test_the_pages_are_fresh():
    # In a process of its own: what other tests imported and changed must not be seen.
    program = [sys.executable, api_pages.__file__, "--check"]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("page", api_pages.MODULES)
def test_every_public_name_has_its_words(page):
    module = importlib.import_module(api_pages.MODULES[page])
    text = api_pages.pages()[page]
    for name in module.__all__:
        described = text.partition(f"\n## {name}\n")[2]
        after_signature = described.partition("```\n")[2]
        words = after_signature.partition("```\n")[0].partition("\n## ")[0].strip()
        # (A type alias has no docstring.)
        assert words or not callable(getattr(module, name)), name
    assert " at 0x" not in text


def test_a_stale_page_and_one_of_nothing_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(api_pages, "FOLDER", tmp_path)
    assert api_pages.main(["--check"]) == 1
    assert "tools/do.py docs" in capsys.readouterr().err
    assert api_pages.main([]) == 0
    (tmp_path / "old.md").write_text("# Old\n")
    assert api_pages.main(["--check"]) == 1
    assert "delete it" in capsys.readouterr().err


def test_docstrings_become_markdown():
    assert markdown_of(DOC) == MARKDOWN
