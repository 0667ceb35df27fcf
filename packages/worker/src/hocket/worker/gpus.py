"""Which GPUs a worker may use, by name: what its job was assigned, or what its user says; pure.

Names are opaque (numbers, UUIDs, MIG UUIDs) and in the order of whoever assigned them; nothing is
counted anew, since ``CUDA_VISIBLE_DEVICES`` of a process under us must name the same devices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.name_lists import split_names

__all__ = ["Choice", "assigned_gpus", "choose_gpus", "pinning", "share_of"]

#: What says to CUDA, and to what is built on it, which devices there are.
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
#: The same for AMD's: to all of ROCm; and to HIP and OpenCL, which count among what ROCm shows.
_ROCM: Final = "ROCR_VISIBLE_DEVICES"
_HIP: Final = "HIP_VISIBLE_DEVICES"
_OPENCL: Final = "GPU_DEVICE_ORDINAL"
#: And for Intel's.
_INTEL: Final = "ZE_AFFINITY_MASK"
#: What batch systems write where they mean none.
_NONE: Final = frozenset({"", "NoDevFiles", "none", "void", "-1"})
#: A line of TORQUE's file: ``host-gpu0``.
_TORQUE_LINE: Final = re.compile(r".*-gpu(\d+)")
#: So many of some.
_COUNTED: Final = re.compile(r"(\d+)\s+of\s+(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which GPUs a command is to have.

    Attributes
    ----------
    names
        Those that come into question, in the order of preference.
    count
        How many of them; None: all that are free, be there any or not.
    is_assigned
        Whether a batch system has seen to it that nobody else has them.
    """

    names: list[str]
    count: int | None
    is_assigned: bool = False


def assigned_gpus(environment: Mapping[str, str], gpu_file: str = "") -> list[str] | None:
    """Return the GPUs that the environment assigns; None: it says nothing about them.

    Parameters
    ----------
    environment
        Variables: those that CUDA and ROCm read, or what Slurm and TORQUE set.
    gpu_file
        What the file holds that ``PBS_GPUFILE`` names, if there is one.
    """
    for name in (_VISIBLE, _ROCM, _HIP, "SLURM_JOB_GPUS"):
        if name in environment:
            text = environment[name].strip()
            return [] if text in _NONE else split_names(text)
    if gpu_file:
        found = (_TORQUE_LINE.fullmatch(line.strip()) for line in gpu_file.splitlines())
        return list(dict.fromkeys(match[1] for match in found if match is not None))
    return None


def choose_gpus(
    asked: str,
    assigned: Sequence[str] | None,
    present: Sequence[str] = (),
    offered: int | None = None,
) -> Choice:
    """Return which GPUs a command that runs workers is to have.

    Parameters
    ----------
    asked
        ``"auto"``: those that were assigned, or else those that are there; ``"none"``; a number of
        those; names with commas between them; or a number of named ones, as in ``"1 of 0,1"``.
    assigned
        By the environment; None: it says nothing.
    present
        On this host.
    offered
        How many its workers are to offer, where that was said.

    Raises
    ------
    SettingsError
        So many are not to be had, or a name stands there twice.
    """
    text = asked.strip()
    is_assigned = assigned is not None
    to_be_had = list(present if assigned is None else assigned)
    if text == "auto":
        if assigned is not None:
            return Choice(to_be_had, len(to_be_had), is_assigned)
        return Choice(to_be_had, None if offered is None else min(offered, len(to_be_had)))
    if text in _NONE:
        return Choice([], 0, is_assigned)
    counted = _COUNTED.fullmatch(text)
    # (A list of one name ends with a comma, so that it is no number.)
    if text.isascii() and text.isdecimal():
        names, count = to_be_had, int(text)
    elif counted is not None:
        names, count, is_assigned = split_names(counted[2]), int(counted[1]), False
    else:
        names, is_assigned = split_names(text), False
        count = len(names)
    if len(set(names)) != len(names):
        raise _unfit(asked, "each GPU is named once")
    if count > len(names):
        raise _unfit(asked, f"there are {len(names)} to be had; name them, as in 0,1,2,3")
    return Choice(names[:count] if is_assigned else names, count, is_assigned)


def share_of(names: Sequence[str], index: int, count: int) -> list[str]:
    """Return the GPUs of one of several workers: as many for each as can be, none for two."""
    return list(names[len(names) * index // count : len(names) * (index + 1) // count])


def pinning(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that show a process these GPUs, and no others.

    Parameters
    ----------
    names
        As the environment has them, or NVML.
    environment
        Of the process that starts it. Where that was told its GPUs by a variable of another maker
        than NVIDIA, that one is set as well.
    """
    text = ",".join(names)
    # HIP takes an empty text for none at all, and so would see every device.
    shown = text or "-1"
    variables = {_VISIBLE: text, _HIP: shown}
    if _ROCM in environment:
        counted = ",".join(map(str, range(len(names)))) or "-1"
        variables |= {_ROCM: shown, _HIP: counted}
    if _OPENCL in environment:
        variables[_OPENCL] = variables[_HIP]
    if _INTEL in environment:
        variables[_INTEL] = shown
    return variables


def _unfit(asked: str, problem: str) -> SettingsError:
    return SettingsError(name="worker.gpus", value=asked, allowed=problem, source="the settings")
