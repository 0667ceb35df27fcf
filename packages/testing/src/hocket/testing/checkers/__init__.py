"""Checkers: each looks at a whole cluster, from outside, for one promise that must hold.

What must hold between any two events of one machine stands with that machine, in its
``invariants``; these here are about machines together.
"""

from __future__ import annotations

from hocket.testing.checkers.agreement import check_agreement
from hocket.testing.checkers.data import check_nothing_is_left
from hocket.testing.checkers.liveness import check_everything_ended
from hocket.testing.checkers.results import Results

__all__ = ["Results", "check_agreement", "check_everything_ended", "check_nothing_is_left"]
