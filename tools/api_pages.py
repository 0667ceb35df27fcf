"""Writes docs/api/ from the docstrings, or tells whether it is fresh (``--check``)."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

from docstring_markdown import markdown_of
from generated_page import write_or_compare
from workspace import ROOT

FOLDER: Final = ROOT / "docs" / "api"

#: Page, and the module whose public names are on it.
MODULES: Final = {
    "client.md": "hocket.client",
    "joblib.md": "hocket.client.joblib",
    "graph.md": "hocket.graph",
    "deploy.md": "hocket.deploy",
    "diagnostics.md": "hocket.diagnostics",
    "errors.md": "hocket.core.errors",
    "settings.md": "hocket.core.settings_file",
    "testing.md": "hocket.testing",
    "parquet.md": "hocket.parquet",
}

_NOTE: Final = (
    "<!-- Written by `tools/do.py docs` from the docstrings. Do not edit: change the code. -->"
)

_INDEX_HEAD: Final = f"""\
# Reference

{_NOTE}

Every public name, as its docstring has it. To begin with, there is a [tutorial](../tutorial.md).
"""

#: A longer signature has a line for each parameter.
_LINE_LENGTH: Final = 88


def pages() -> dict[str, str]:
    """Return the pages, by file name."""
    made = {name: _page(importlib.import_module(module)) for name, module in MODULES.items()}
    return {"README.md": _index(), **made}


# ------------------------------------------------------------------------ the index


def _index() -> str:
    parts = [_INDEX_HEAD]
    for page, name in MODULES.items():
        module = importlib.import_module(name)
        parts.append(f"\n## [{name}]({page})\n\n{_summary(module)}\n")
        rows = [
            f"| [`{one}`]({page}#{one.lower()}) | {_summary(getattr(module, one))} |"
            for one in sorted(module.__all__, key=str.lower)
        ]
        parts.append("\n".join(["", "| name | |", "|---|---|", *rows, ""]))
    return "".join(parts)


def _summary(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


# ------------------------------------------------------------------------ a page


def _page(module: ModuleType) -> str:
    parts = [f"# {module.__name__}", _NOTE, markdown_of(inspect.getdoc(module) or "")]
    for name in sorted(module.__all__, key=str.lower):
        parts += _described(name, getattr(module, name))
    return "\n\n".join(part for part in parts if part) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    """Yield the parts of what is said of a public name."""
    yield f"## {name}"
    if inspect.isclass(thing):
        bases = [base.__name__ for base in thing.__bases__ if base is not object]
        shown = f"({', '.join(bases)})" if issubclass(thing, BaseException) else ""
        yield _code(f"class {name}{shown or _signature(thing)}")
        yield markdown_of(inspect.getdoc(thing) or "")
        for member in sorted(_members(thing), key=str.lower):
            yield from _member(name, member, inspect.getattr_static(thing, member))
    elif callable(thing):
        yield _code(f"{name}{_signature(thing)}")
        yield markdown_of(inspect.getdoc(thing) or "")
    else:
        yield _code(f"{name} = {_short(thing)}")


def _members(kind: type) -> set[str]:
    """Return the public names that our classes gave a class, and documented."""
    found = set()
    for base in kind.__mro__:
        if base.__module__.startswith("hocket."):
            found |= {
                name
                for name, value in vars(base).items()
                if not name.startswith("_") and _is_member(value)
            }
    return found


def _is_member(value: object) -> bool:
    kinds = (property, classmethod, staticmethod)
    return (inspect.isfunction(value) or isinstance(value, kinds)) and bool(inspect.getdoc(value))


def _member(owner: str, name: str, thing: Any) -> Iterator[str]:
    yield f"### {owner}.{name}"
    if isinstance(thing, property):
        kind = _annotation(inspect.signature(thing.fget).return_annotation) if thing.fget else ""
        yield _code(f"{name}: {kind}" if kind else name)
    else:
        function = thing if inspect.isfunction(thing) else thing.__func__
        is_bound = not isinstance(thing, staticmethod)
        yield _code(f"{name}{_signature(function, drop_first=is_bound)}")
    yield markdown_of(inspect.getdoc(thing) or "")


# ------------------------------------------------------------------------ signatures


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _signature(thing: Any, *, drop_first: bool = False) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parameters = list(signature.parameters.values())[drop_first:]
    shown = list(_parameters(parameters))
    returned = "" if inspect.isclass(thing) else _annotation(signature.return_annotation)
    arrow = f" -> {returned}" if returned else ""
    line = f"({', '.join(shown)}){arrow}"
    if len(line) <= _LINE_LENGTH:
        return line
    return "(\n" + "".join(f"    {one},\n" for one in shown) + f"){arrow}"


def _parameters(parameters: list[inspect.Parameter]) -> Iterator[str]:
    kinds = inspect.Parameter
    star_is_due = True
    for number, one in enumerate(parameters):
        if one.kind is kinds.VAR_POSITIONAL:
            star_is_due = False
        elif one.kind is kinds.KEYWORD_ONLY and star_is_due:
            star_is_due = False
            yield "*"
        stars = "*" * (one.kind is kinds.VAR_POSITIONAL) + "**" * (one.kind is kinds.VAR_KEYWORD)
        annotation = _annotation(one.annotation)
        text = f"{stars}{one.name}" + (f": {annotation}" if annotation else "")
        if one.default is not kinds.empty:
            text += f" = {_short(one.default)}" if annotation else f"={_short(one.default)}"
        yield text
        is_last_positional = one.kind is kinds.POSITIONAL_ONLY and (
            number + 1 == len(parameters)
            or parameters[number + 1].kind is not kinds.POSITIONAL_ONLY
        )
        if is_last_positional:
            yield "/"


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _short(value: object) -> str:
    """Return a default as it may stand in a signature, the same in each process."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return value.__name__
    text = repr(value)
    return "..." if re.search(r" at 0x[0-9a-f]+", text) or "\n" in text else text


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them with what is there; return the exit code."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    codes = [write_or_compare(FOLDER / name, text, arguments) for name, text in made.items()]
    for page in sorted(FOLDER.glob("*.md")):
        if page.name not in made:
            print(f"docs/api/{page.name} is of no module: delete it", file=sys.stderr)
            codes.append(1)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
