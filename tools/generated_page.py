"""A page of the docs that a program writes: written, or compared with what is there."""

from __future__ import annotations

import sys
from pathlib import Path

from workspace import ROOT

__all__ = ["write_or_compare"]


def write_or_compare(page: Path, text: str, arguments: list[str]) -> int:
    """Write a page; with ``--check`` only tell whether it is fresh. Return the exit code."""
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return 0
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    print(f"{name} is stale; run: python3 tools/do.py docs", file=sys.stderr)
    return 1
