"""What can go wrong with clusters.

::

    HocketError
    |-- UserError
    |   |-- ClusterClosed(address, broken)        it was closed, or is of no use any more
    |   `-- GroupStopped(group, reason, log)      jobs of this kind come to nothing
    `-- PeerError
        |-- CommandFailed(command, complaint)     a batch system's command did not do it
        |   `-- UnreadableOutput                  it did, but what it says makes no sense
        `-- StartFailed                           (hocket.deploy.processes)
"""

from __future__ import annotations

from hocket.core.errors import PeerError, UserError

__all__ = ["ClusterClosed", "CommandFailed", "GroupStopped", "UnreadableOutput"]


class ClusterClosed(UserError):
    """The cluster was closed or never started, or what it cannot be without is gone."""

    address: str
    broken: str

    def __init__(self, *, address: str, broken: str = "") -> None:
        super().__init__(address=address, broken=broken)

    def describe(self) -> str:
        """Return what it is, and what to do."""
        if not self.address:
            return "the cluster was not started: use `async with`, or await it first"
        what = f"of no use any more, since {self.broken}" if self.broken else "closed"
        return f"the cluster at {self.address} is {what}; make another"


class CommandFailed(PeerError):
    """A command of a batch system failed, or is not there."""

    command: str
    complaint: str

    def __init__(self, *, command: str, complaint: str) -> None:
        super().__init__(command=command, complaint=complaint)

    def describe(self) -> str:
        """Return which, and what it said."""
        return f"the command `{self.command}` failed: {self.complaint}"


class UnreadableOutput(CommandFailed):
    """A command of a batch system printed what cannot be understood."""

    def describe(self) -> str:
        """Return which, and what it said."""
        return f"the command `{self.command}` printed what makes no sense here: {self.complaint}"


class GroupStopped(UserError):
    """A group of workers gets no more jobs, since they come to nothing.

    ``log`` is the end of what the last of them wrote.
    """

    group: str
    reason: str
    log: str

    def __init__(self, *, group: str, reason: str, log: str = "") -> None:
        super().__init__(group=group, reason=reason, log=log)

    def describe(self) -> str:
        """Return the reason, with the end of the job's log."""
        text = f"no more jobs are submitted for the workers {self.group!r}: {self.reason}"
        if self.log:
            text += f"\nThe job's log ends:\n{self.log}"
        return f"{text}\nScale the group again once that is mended."
