"""Chance, in many streams: each part of a run draws from its own.

All streams follow from the run's seed and from names that stay the same when something else in the
run is left out, so that a history that is cut down goes on much as it did before.
"""

from __future__ import annotations

from random import Random

__all__ = ["stream"]


def stream(seed: int, *names: object) -> Random:
    """Return the stream of these names in the run of this seed."""
    # (A text seeds by its SHA-512, whatever the interpreter's hash seed.)
    return Random("/".join(map(str, (seed, *names))))  # noqa: S311 - it has to be repeatable
