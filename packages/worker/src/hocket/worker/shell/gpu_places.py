"""Looking for GPUs: what the job was assigned, and what this host has (NVML)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hocket.core.settings import WorkerSettings
from hocket.worker.gpus import assigned_gpus, choose_gpus
from hocket.worker.shell.gpu_locks import take_gpus

__all__ = ["find_gpus", "present_gpus"]


def find_gpus(
    settings: WorkerSettings,
    *,
    offered: int | None = None,
    holder: str = "",
    environment: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the GPUs of a command that runs workers, once it has them.

    Those that no batch system assigned are locked until the process ends.

    Parameters
    ----------
    settings
        ``gpus``, and how to lock them.
    offered
        How many its workers are to offer, where that was said.
    holder
        Who locks them, for others that want them.
    environment
        In place of the process's own.

    Raises
    ------
    SettingsError
        So many are not to be had, or others have them and keep them.
    """
    variables = os.environ if environment is None else environment
    gpu_file = ""
    with suppress(OSError, KeyError):
        # (TORQUE names a file that is not there to jobs without GPUs.)
        gpu_file = Path(variables["PBS_GPUFILE"]).read_text(errors="replace")
    assigned = assigned_gpus(variables, gpu_file)
    present = present_gpus() if assigned is None else []
    choice = choose_gpus(settings.gpus, assigned, present, offered)
    if choice.is_assigned or not choice.names or not settings.gpu_lock_directory:
        return choice.names[: choice.count]
    # One device may be called by its number and by its UUID.
    aliases = {str(number): name for number, name in enumerate(present)}
    return take_gpus(choice, settings, holder=holder, aliases=aliases)


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
