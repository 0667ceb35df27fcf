"""Docstrings of ours (NumPy's style) as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["markdown_of"]

#: Sections that are lists of names, or of types, each with a text below it.
_LISTS: Final = frozenset(
    {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Other Parameters"}
)

#: Those of types.
_TYPES: Final = frozenset({"Returns", "Yields"})

_INDENT: Final = "    "


def markdown_of(doc: str) -> str:
    """Return a docstring as Markdown; ``doc`` is as `inspect.getdoc` returns it."""
    parts = []
    for title, lines in _sections(doc.splitlines()):
        if title in _LISTS:
            body = "\n".join(_items(lines, are_names=title not in _TYPES))
        elif title == "Examples":
            body = _examples(lines)
        else:
            body = "\n\n".join(_paragraphs(lines))
        if title:
            parts.append(f"**{title}**")
        if body:
            parts.append(body)
    return "\n\n".join(parts)


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the sections, each a title and its lines; what stands before all has no title."""
    title = ""
    body: list[str] = []
    for number, line in enumerate(lines):
        rule = lines[number + 1] if number + 1 < len(lines) else ""
        if line and set(rule) == {"-"} and len(rule) == len(line):
            yield title, body
            title, body = line, []
        elif not (set(line) == {"-"} and body == [] and title):
            body.append(line)
    yield title, body


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Yield the text of a section, what is an example in it apart."""
    examples = [number for number, line in enumerate(lines) if line.startswith(">>>")]
    begin = min(examples, default=len(lines))
    if text := _text(lines[:begin]):
        yield text
    if begin < len(lines):
        yield _examples(lines[begin:])


def _items(lines: list[str], *, are_names: bool) -> Iterator[str]:
    """Yield the lines of a list: names, and what is said of them."""
    said: list[str] = []
    for line in [*lines, "end"]:
        if not line.strip():
            said.append("")
        elif line.startswith(_INDENT):
            said.append(line[len(_INDENT) :])
        else:
            text = _text(said)
            said = []
            if text:
                yield from (f"  {one}".rstrip() for one in text.splitlines())
            if line != "end":
                names = line.split(" : ")[0].split(", ") if are_names else [line]
                yield "* " + ", ".join(f"`{one.strip()}`" for one in names) + ":"


def _examples(lines: list[str]) -> str:
    text = "\n".join(lines).strip("\n")
    return f"```pycon\n{re.sub(r'  # doctest:.*', '', text)}\n```" if text else ""


def _text(lines: list[str]) -> str:
    """Return paragraphs; what follows ``::`` becomes a block of code."""
    made: list[str] = []
    code: list[str] | None = None
    for line in [*lines, "end"]:
        if code is not None:
            if line.startswith(_INDENT) or not line:
                code.append(line[len(_INDENT) :])
                continue
            made += ["```text", *"\n".join(code).strip("\n").splitlines(), "```", ""]
            code = None
        if line.endswith("::"):
            made += [line[:-1], ""] if line != "::" else []
            code = []
        else:
            made.append(line)
    return "\n".join(made[:-1]).strip("\n")
