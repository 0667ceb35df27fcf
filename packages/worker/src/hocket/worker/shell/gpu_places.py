"""Looking for GPUs: what the job was assigned, and what this host has (NVML)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hocket.worker.gpus import assigned_gpus, chosen_gpus

__all__ = ["find_gpus", "present_gpus"]


def find_gpus(asked: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the GPUs of a command that runs workers; see `chosen_gpus`.

    Parameters
    ----------
    asked
        The setting ``worker.gpus``.
    environment
        In place of the process's own.

    Raises
    ------
    SettingsError
        So many are not to be had.
    """
    variables = os.environ if environment is None else environment
    gpu_file = ""
    with suppress(OSError, KeyError):
        # (TORQUE names a file that is not there to jobs without GPUs.)
        gpu_file = Path(variables["PBS_GPUFILE"]).read_text(errors="replace")
    assigned = assigned_gpus(variables, gpu_file)
    return chosen_gpus(asked, assigned, present_gpus() if assigned is None else ())


def present_gpus() -> list[str]:
    """Return the UUIDs of the GPUs of this host; none if NVML is not installed, or finds none."""
    try:
        import pynvml  # noqa: PLC0415 (only where there are GPUs)
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [_text(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
