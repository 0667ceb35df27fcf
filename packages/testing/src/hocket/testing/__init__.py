"""The simulator: the real scheduler, workers and clients in virtual time, on a network that fails.

One seed is one history::

    from hocket.testing import simulate

    report = simulate(seed=7)
    assert report.finding is None, report.describe()

What is done to a cluster in a run is written down, as ``report.script``: it can be done again
(``replay``), and a failing history can be cut down to what matters (``shrink``).

The rooms: ``clock`` (virtual time), ``chance``, ``network``, ``bandwidth`` and ``link`` (what lies
between hosts), ``host``, ``worker_host``, ``executor``, ``client_host`` and ``scatter`` (what
stands around the machines), ``programs``, ``graphs`` and ``workload`` (what users do), ``swarm``
and ``chaos`` (what goes wrong), ``deeds`` (both, as records), ``checkers`` (what must hold),
``simulation`` (one run), ``script`` and ``shrink`` (a history in writing, and a shorter one),
``campaign`` (many runs), ``measure`` (how long graphs take where nothing goes wrong).
"""

from __future__ import annotations

from hocket.testing.shrink import shrink
from hocket.testing.simulation import Finding, Report, replay, simulate
from hocket.testing.swarm import Faults, Swarm, draw_swarm

__all__ = [
    "Faults",
    "Finding",
    "Report",
    "Swarm",
    "draw_swarm",
    "replay",
    "shrink",
    "simulate",
]
