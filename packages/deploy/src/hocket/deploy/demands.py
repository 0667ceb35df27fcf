"""What waits and what jobs can take on, in the words of adaptive scaling."""

from __future__ import annotations

import math

from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.adaptation import Demand, Offer
from hocket.protocol.messages import DemandDescription

__all__ = ["demand_of", "offer_of"]


def offer_of(spec: JobSpec) -> Offer:
    """Return what a job of a group can take on at once."""
    resources = {name: n * spec.processes for name, n in spec.worker_resources.items()}
    lasts_s = math.inf if spec.walltime_s is None else spec.walltime_s - spec.margin_s
    return Offer(spec.threads * spec.processes, resources, lasts_s)


def demand_of(told: DemandDescription) -> Demand:
    """Return what the scheduler says of tasks that wait."""
    return Demand(told.count, told.duration_s or None, told.resources)
