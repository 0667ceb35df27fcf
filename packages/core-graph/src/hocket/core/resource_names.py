"""Names of resources that mean something to the engine; all others mean what users agree on."""

from __future__ import annotations

from typing import Final

__all__ = ["GPU", "MEMORY"]

#: Devices: a task that reserves some, or a part of one, is told which.
GPU: Final = "GPU"
#: What a worker's memory limit offers, in bytes.
MEMORY: Final = "memory"
