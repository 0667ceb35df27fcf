"""Coordination: locks, semaphores, events, variables, queues and barriers of all clients.

A room of the machine: requests in, answers out, no clock. There is one file for each primitive, one
for who waits and who holds (`register`), one for values and the keys that they keep (`parcels`),
and one for what must be known of tasks (`tasks`).
"""

from __future__ import annotations

from hocket.scheduler.coordination.desk import Coordination
from hocket.scheduler.coordination.limits import CoordinationLimits

__all__ = ["Coordination", "CoordinationLimits"]
