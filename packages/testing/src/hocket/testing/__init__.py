"""The simulator: the real scheduler, workers and clients in virtual time, on a network that fails.

One seed is one history::

    from hocket.testing import simulate

    report = simulate(seed=7)
    assert report.finding is None, report.describe()

The rooms: ``clock`` (virtual time), ``network`` and ``link`` (what lies between hosts), ``host``,
``worker_host``, ``executor``, ``client_host`` and ``scatter`` (what stands around the machines),
``programs``, ``graphs`` and ``workload`` (what users do), ``swarm`` and ``chaos`` (what goes
wrong), ``checkers`` (what must hold), ``simulation`` (one run).
"""

from __future__ import annotations

from hocket.testing.simulation import Finding, Report, simulate
from hocket.testing.swarm import Faults, Swarm, draw_swarm

__all__ = ["Faults", "Finding", "Report", "Swarm", "draw_swarm", "simulate"]
