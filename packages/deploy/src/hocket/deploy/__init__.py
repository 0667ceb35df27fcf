"""Clusters: scheduler and workers brought to life, on this machine, on job queues, over SSH."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.deploy.errors import GroupStopped
    from hocket.deploy.local import LocalCluster
    from hocket.deploy.pbs import PBSCluster
    from hocket.deploy.sge import SGECluster
    from hocket.deploy.slurm import SLURMCluster
    from hocket.deploy.ssh import SSHCluster

__all__ = [
    "GroupStopped",
    "LocalCluster",
    "PBSCluster",
    "SGECluster",
    "SLURMCluster",
    "SSHCluster",
]

#: Loaded when asked for (PEP 562), so that the command's help need not wait for event loops.
_HOMES: Final = {
    "GroupStopped": "hocket.deploy.errors",
    "LocalCluster": "hocket.deploy.local",
    "PBSCluster": "hocket.deploy.pbs",
    "SGECluster": "hocket.deploy.sge",
    "SLURMCluster": "hocket.deploy.slurm",
    "SSHCluster": "hocket.deploy.ssh",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
