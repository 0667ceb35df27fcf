"""Names in one text, with commas between them, as settings and variables have them."""

from __future__ import annotations

__all__ = ["split_names"]


def split_names(text: str) -> list[str]:
    """Return the names of a text, without the spaces around them; empty ones are left out.

    Examples
    --------
    >>> split_names("a, b,,c ")
    ['a', 'b', 'c']
    """
    return [name for name in (piece.strip() for piece in text.split(",")) if name]
