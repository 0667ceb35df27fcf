"""What every batch system must be able to say: commands to run, and what their output means."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from hocket.deploy.errors import UnreadableOutput
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.jobs import Sighting

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Backend", "Output", "shorten"]

_SHOWN_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left: exit code and text, of which only the first MiB is kept."""

    command: Sequence[str]
    exit_code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """What it said, for people."""
        return shorten(self.err or self.out) or f"exit code {self.exit_code}, and not a word"


class Backend(ABC):
    """A batch system. Makes commands and reads their output; runs nothing.

    Attributes
    ----------
    title
        What people call it.
    directive_prefix
        What a line for it in a script begins with.
    submitted
        The line that a successful submit command prints, with the job's id as its group.
    passing
        In complaints of the submit command: that it may take the same another time.
    explain_after_s
        How long a job waits before it is asked why, where that needs a command of its own.
    """

    title: ClassVar[str]
    directive_prefix: ClassVar[str]
    submitted: ClassVar[re.Pattern[str]]
    passing: ClassVar[re.Pattern[str]]
    explain_after_s: ClassVar[float] = 3.0

    @abstractmethod
    def directives(self, spec: JobSpec, job: str, log: str) -> list[str]:
        """Return what a job asks for, a line each, without the prefix."""

    def script_lines(self, spec: JobSpec) -> list[str]:
        """Return lines of shell with which a job finds out what only its batch system knows."""
        del spec
        return []

    @abstractmethod
    def submit_command(self, script: str, job: str, log: str) -> list[str]:
        """Return the command that submits a script."""

    def submitted_id(self, output: Output) -> str:
        """Return the id that a successful submit command printed.

        Raises
        ------
        UnreadableOutput
            It printed none.
        """
        found = self.submitted.search(output.out.strip())
        if found is None:
            raise self.unreadable(output)
        return found[1]

    def is_permanent(self, complaint: str) -> bool:
        """Tell whether a refused submission would be refused again."""
        return self.passing.search(complaint) is None

    @abstractmethod
    def poll_command(self, ids: Sequence[str]) -> list[str]:
        """Return the one command that tells of all these jobs."""

    @abstractmethod
    def sightings(self, output: Output, ids: Sequence[str]) -> dict[str, Sighting]:
        """Return what a poll says of jobs, by id; one that is missing is in the queue no more.

        Raises
        ------
        UnreadableOutput
            It says nothing that can be understood.
        """

    @abstractmethod
    def cancel_command(self, ids: Sequence[str]) -> list[str]:
        """Return the command that ends jobs."""

    def explain_command(self, ids: Sequence[str]) -> list[str] | None:
        """Return a command that tells why jobs wait; None: the poll has said it."""
        del ids
        return None

    def explanations(self, output: Output, ids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """Return by id why a job waits, and whether it can never start."""
        del output, ids
        return {}

    def account_command(self, id_: str, since: datetime) -> list[str] | None:
        """Return a command that tells how a job ended that is gone; None: there is none.

        Parameters
        ----------
        id_
            Of the job.
        since
            Local time before it was submitted: numbers are given anew some day.
        """
        del id_, since
        return None

    def account(self, output: Output, id_: str) -> Sighting | None:
        """Return how a job ended; None: it is not said."""
        del output, id_
        return None

    def unreadable(self, output: Output) -> UnreadableOutput:
        """Return the error for output that makes no sense."""
        return UnreadableOutput(command=" ".join(output.command), complaint=output.complaint)


def shorten(text: str) -> str:
    """Return text for a message: on one line, and not long."""
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN_LENGTH_MAX else words[: _SHOWN_LENGTH_MAX - 3] + "..."
