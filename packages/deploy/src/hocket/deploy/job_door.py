"""The door to whatever runs jobs: it takes them, tells of them, and ends them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from hocket.core.errors import UserError
from hocket.deploy.reconcile.jobs import Sighting

__all__ = ["JobDoor", "Refused"]


class Refused(UserError):
    """A job was not taken; ``permanent``: it would not be taken if it came again."""

    reason: str
    permanent: bool

    def __init__(self, *, reason: str, permanent: bool) -> None:
        super().__init__(reason=reason, permanent=permanent)

    def describe(self) -> str:
        """Return the reason."""
        return self.reason


class JobDoor(ABC):
    """Takes jobs, tells of them, ends them."""

    @abstractmethod
    def script(self, group: str, job: str) -> str:
        """Return the script of a job."""

    @abstractmethod
    async def submit(self, group: str, job: str) -> str:
        """Have a job run; return its id.

        Raises
        ------
        Refused
            It was not taken.
        """

    @abstractmethod
    async def look(
        self, ids: Sequence[str], fresh: Sequence[str], staying: Sequence[str]
    ) -> dict[str, Sighting]:
        """Return what becomes of jobs, by id; those that are gone are left out.

        Parameters
        ----------
        ids
            Of the jobs.
        fresh
            Those whose workers have not come, so that it is of interest why.
        staying
            Those that nobody has asked to end, so that it is of interest why one does.

        Raises
        ------
        CommandFailed
            That cannot be known now.
        """

    @abstractmethod
    async def cancel(self, ids: Sequence[str]) -> None:
        """End jobs; those that are not there any more do not matter.

        Raises
        ------
        CommandFailed
            They may still be there.
        """

    def cancel_at_exit(self, ids: Sequence[str]) -> None:  # noqa: B027 - not all can
        """End jobs as the interpreter ends, when no other thread can be had any more."""

    async def close(self) -> None:  # noqa: B027 - most open nothing
        """Let go of what was opened, when all jobs were ended."""
