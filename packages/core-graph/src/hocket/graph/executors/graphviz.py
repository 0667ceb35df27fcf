"""Running the program ``dot`` of Graphviz, which lays out drawings."""

from __future__ import annotations

import subprocess

from hocket.core.errors import InvariantBroken, LimitExceeded

__all__ = ["svg_of"]

#: ``dot`` is stopped after this time.
DRAWING_S_MAX = 60


def svg_of(dot_text: str) -> str:
    """Return the drawing of a graph in the language of ``dot`` as SVG.

    Raises
    ------
    LimitExceeded
        It takes longer than a minute.
    InvariantBroken
        ``dot`` does not understand the text, which is ours.
    """
    try:
        done = subprocess.run(
            ["dot", "-Tsvg"],  # noqa: S607 - wherever it is installed
            input=dot_text.encode(),
            capture_output=True,
            timeout=DRAWING_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LimitExceeded(
            what="the time in seconds to draw the graph", limit=DRAWING_S_MAX, asked=DRAWING_S_MAX
        ) from None
    if done.returncode:
        detail = done.stderr.decode(errors="replace").strip()
        raise InvariantBroken(rule="dot understands the drawing", detail=detail)
    return done.stdout.decode()
