"""The settings of the command `hocket` that are of no other part: what it shows, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from hocket.core.setting_kinds import Choice, Count, Seconds, Switch
from hocket.core.settings_section import Section

__all__ = ["CommandSettings"]


@dataclass(frozen=True, slots=True, repr=False)
class CommandSettings(Section):
    """What the command `hocket` shows."""

    json: Annotated[
        bool, Switch("Whether `hocket status` tells all that is known, as JSON, for programs.")
    ] = False
    lines: Annotated[int, Count("Lines of each worker that `hocket logs` shows.")] = 100
    interval_s: Annotated[float, Seconds("Between two looks of `hocket top`.", least=0.1)] = 1.0
    looks: Annotated[int, Count("After so many looks `hocket top` ends; 0: at Ctrl-C.")] = 0
    probe_timeout_s: Annotated[
        float, Seconds("How long `hocket doctor` tries each address.", least=0.01)
    ] = 3.0
    role: Annotated[
        Literal["client", "worker", "observer"],
        Choice(
            "What the word of `hocket token` lets its bearer be; a client's does for an observer,"
            " a worker's for all.",
            options=("client", "worker", "observer"),
        ),
    ] = "client"
