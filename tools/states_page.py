"""Writes docs/states.md from the scheduler's moves, or tells whether it is fresh (``--check``)."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Final, get_args

from generated_page import write_or_compare
from hocket.scheduler.moves import TRANSITIONS
from hocket.scheduler.state import TaskState
from hocket.scheduler.state import task as task_module
from workspace import ROOT

PAGE: Final = ROOT / "docs" / "states.md"

HEAD: Final = """\
# The states of a task

<!-- Written by `tools/do.py docs` from hocket.scheduler. Do not edit: change the code. -->

To the scheduler a task is in one of {count} states. It may only move as drawn here: unit tests,
random histories and the simulator compare every move, and what must hold for it, with this table. A
new record begins as `released` and ends as `forgotten`.

"""


def diagram() -> str:
    """Return the states as a Mermaid drawing; an arrow for each pair, with the cause."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> released: submitted, or scattered"]
    lines += [f"    {one.source} --> {one.target}: {_plain(one.cause)}" for one in TRANSITIONS]
    return "\n".join([*lines, "    forgotten --> [*]", "```", ""])


def meanings() -> dict[str, str]:
    """Return what each state means, from the comments beside their constants."""
    source = inspect.getsource(task_module)
    found = re.findall(r"^#: (.+)\n[A-Z]+: Final = \"(\w+)\"$", source, flags=re.MULTILINE)
    return {name: meaning for meaning, name in found}


def page() -> str:
    """Return the page."""
    states = get_args(TaskState)
    meaning = meanings()
    parts = [HEAD.format(count=len(states)), diagram()]
    parts.append("\n## States\n\n| state | meaning |\n|---|---|\n")
    parts += [f"| `{name}` | {meaning[name]} |\n" for name in states]
    parts.append("\n## Moves\n\n| from | to | cause | guard | effects |\n|---|---|---|---|---|\n")
    parts += [
        f"| `{one.source}` | `{one.target}` | {one.cause} | {one.guard.text} | {one.effects} |\n"
        for one in TRANSITIONS
    ]
    return "".join(parts)


def _plain(text: str) -> str:
    """Return a text without what ends a label in Mermaid."""
    return text.replace(":", ",").replace(";", ",")


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with what is there; return the exit code."""
    return write_or_compare(PAGE, page(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
