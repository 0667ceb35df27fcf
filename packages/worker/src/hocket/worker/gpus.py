"""Which GPUs a worker may use, by name: what its job was assigned, or what its user says; pure.

Names are opaque (numbers, UUIDs, MIG UUIDs) and in the order of whoever assigned them; nothing is
counted anew, since ``CUDA_VISIBLE_DEVICES`` of a process under us must name the same devices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from hocket.core.errors import SettingsError

__all__ = ["VISIBLE", "assigned_gpus", "chosen_gpus", "share_of"]

#: What says to CUDA, and to what is built on it, which devices there are.
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
#: What batch systems write where they mean none.
_NONE: Final = frozenset({"", "NoDevFiles", "none", "void", "-1"})
#: A line of TORQUE's file: ``host-gpu0``.
_TORQUE_LINE: Final = re.compile(r".*-gpu(\d+)")


def assigned_gpus(environment: Mapping[str, str], gpu_file: str = "") -> list[str] | None:
    """Return the GPUs that the environment assigns; None: it says nothing about them.

    Parameters
    ----------
    environment
        Variables: `VISIBLE`, or what Slurm and TORQUE set.
    gpu_file
        What the file holds that ``PBS_GPUFILE`` names, if there is one.
    """
    for name in (VISIBLE, "SLURM_JOB_GPUS"):
        if name in environment:
            text = environment[name].strip()
            return [] if text in _NONE else _names(text)
    if gpu_file:
        found = (_TORQUE_LINE.fullmatch(line.strip()) for line in gpu_file.splitlines())
        return list(dict.fromkeys(match[1] for match in found if match is not None))
    return None


def chosen_gpus(
    asked: str, assigned: Sequence[str] | None, present: Sequence[str] = ()
) -> list[str]:
    """Return the GPUs of a command that runs workers.

    Parameters
    ----------
    asked
        ``"auto"``: those that were assigned, or else those that are there; ``"none"``; a number of
        those; or names with commas between them.
    assigned
        By the environment; None: it says nothing.
    present
        On this host.

    Raises
    ------
    SettingsError
        So many are not to be had, or a name stands there twice.
    """
    text = asked.strip()
    to_be_had = list(present if assigned is None else assigned)
    if text == "auto":
        return to_be_had
    if text in _NONE:
        return []
    # (A list of one name ends with a comma, so that it is no number.)
    if text.isascii() and text.isdecimal():
        if int(text) <= len(to_be_had):
            return to_be_had[: int(text)]
        raise _unfit(asked, f"there are {len(to_be_had)} to be had; name them, as in 0,1,2,3")
    names = _names(text)
    if len(set(names)) == len(names):
        return names
    raise _unfit(asked, "each GPU is named once")


def share_of(names: Sequence[str], index: int, count: int) -> list[str]:
    """Return the GPUs of one of several workers: as many for each as can be, none for two."""
    return list(names[len(names) * index // count : len(names) * (index + 1) // count])


def _names(text: str) -> list[str]:
    return [name for name in (piece.strip() for piece in text.split(",")) if name]


def _unfit(asked: str, problem: str) -> SettingsError:
    return SettingsError(name="worker.gpus", value=asked, allowed=problem, source="the settings")
