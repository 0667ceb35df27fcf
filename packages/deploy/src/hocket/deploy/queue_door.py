"""The door to a batch system: its backend's commands, run."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from hocket.deploy.backends.backend import Backend, Output
from hocket.deploy.errors import CommandFailed
from hocket.deploy.job_door import JobDoor, Refused
from hocket.deploy.job_logs import cannot_start, read_tail
from hocket.deploy.job_script import JobFiles, write_job_script
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.programs import run_at_exit, run_program
from hocket.deploy.reconcile.jobs import Phase, Sighting
from hocket.transport.clock import now

__all__ = ["QueueDoor"]

#: Submissions that run at once.
_SUBMISSIONS_MAX: Final = 4
#: How long the end of the interpreter waits for a command.
_EXIT_TIMEOUT_S: Final = 10.0
#: Of jobs that have vanished so many are asked after in one look, each for so long: what is kept of
#: those that ended may be a very large file.
_ACCOUNTS_MAX: Final = 4
_ACCOUNT_TIMEOUT_S: Final = 10.0
#: The batch system's clock may be behind ours.
_SLACK_S: Final = 300.0


class _Submitted(NamedTuple):
    """A job that was taken: our name of it, and when, by either clock."""

    job: str
    at_s: float
    time_s: float


class QueueDoor(JobDoor):
    """Submits, looks at, and cancels jobs.

    Parameters
    ----------
    backend
        The batch system.
    files
        Of the cluster.
    specs
        By group, what its jobs are; looked up at each submission.
    prefix
        Before each of the batch system's commands, such as ``("ssh", "login")``.
    timeout_s
        How long a command may take.
    """

    def __init__(
        self,
        backend: Backend,
        files: JobFiles,
        specs: Mapping[str, JobSpec],
        *,
        prefix: Sequence[str] = (),
        timeout_s: float = 60.0,
    ) -> None:
        self.backend = backend
        self._files = files
        self._specs = specs
        self._prefix = tuple(prefix)
        self._timeout_s = timeout_s
        self._submitted: dict[str, _Submitted] = {}
        self._gate = asyncio.Semaphore(_SUBMISSIONS_MAX)

    def script(self, group: str, job: str) -> str:
        """Return the script of a job."""
        spec = self._specs[group]
        log = str(self._files.log(job))
        directives = self.backend.directives(spec, job, log)
        prefix = self.backend.directive_prefix
        first_lines = self.backend.script_lines(spec)
        return write_job_script(spec, job, self._files, prefix, directives, first_lines)

    async def submit(self, group: str, job: str) -> str:
        """Submit a job; return its id."""
        path = self._files.script(job)
        try:
            text = self.script(group, job)
            await asyncio.to_thread(_write_script, path, text)
            command = self.backend.submit_command(str(path), job, str(self._files.log(job)))
            async with self._gate:
                output = await self._run(command)
            if output.exit_code != 0:
                raise Refused(
                    reason=output.complaint, permanent=self.backend.is_permanent(output.complaint)
                )
            id_ = self.backend.submitted_id(output)
        except CommandFailed as error:
            raise Refused(
                reason=str(error), permanent="there is no program" in error.complaint
            ) from None
        except OSError as error:
            raise Refused(reason=f"{path} cannot be written: {error}", permanent=True) from None
        self._submitted[id_] = _Submitted(job, monotonic(), now())
        return id_

    async def look(
        self, ids: Sequence[str], fresh: Sequence[str], staying: Sequence[str]
    ) -> dict[str, Sighting]:
        """Return what the batch system says of jobs, by id."""
        for id_ in self._submitted.keys() - set(ids):
            del self._submitted[id_]
        found = self.backend.sightings(await self._run(self.backend.poll_command(ids)), ids)
        before_s = monotonic() - self.backend.explain_after_s
        waiting = [
            id_
            for id_ in fresh
            if id_ in found
            and found[id_].phase is Phase.PENDING
            and self._submitted[id_].at_s <= before_s
        ]
        await self._explain(waiting, found)
        gone = [id_ for id_ in staying if id_ not in found]
        for id_ in gone[:_ACCOUNTS_MAX]:
            await self._account(id_, found)
        return await asyncio.to_thread(self._consult_logs, fresh, found)

    async def _explain(self, ids: Sequence[str], found: dict[str, Sighting]) -> None:
        """Add why jobs wait, if a command of its own tells."""
        command = self.backend.explain_command(ids) if ids else None
        if command is not None:
            # (What is known without it is true all the same.)
            with contextlib.suppress(CommandFailed):
                told = self.backend.explanations(await self._run(command), ids)
                for id_, (reason, never) in told.items():
                    found[id_] = replace(found[id_], reason=reason, never=never)

    async def _account(self, id_: str, found: dict[str, Sighting]) -> None:
        """Add how a job ended that is in the queue no more, if a command tells."""
        since = dt.datetime.fromtimestamp(self._submitted[id_].time_s - _SLACK_S).astimezone()
        command = self.backend.account_command(id_, since)
        if command is not None:
            with contextlib.suppress(CommandFailed):
                output = await self._run(command, _ACCOUNT_TIMEOUT_S)
                sighting = self.backend.account(output, id_)
                if sighting is not None:
                    found[id_] = sighting

    def _consult_logs(
        self, fresh: Sequence[str], found: dict[str, Sighting]
    ) -> dict[str, Sighting]:
        """Return what was seen, with what the logs say of jobs that ended too soon."""
        for id_ in fresh:
            sighting = found.get(id_)
            if sighting is not None and sighting.phase is not Phase.ENDED:
                continue
            tail = read_tail(self._files.log(self._submitted[id_].job))
            if not tail:
                continue
            if sighting is None:
                # It has begun, and is not there any more.
                sighting = Sighting(Phase.ENDED, "it ended before its workers had come")
            why = cannot_start(tail)
            found[id_] = replace(sighting, reason=why, never=True) if why else sighting
        return found

    async def cancel(self, ids: Sequence[str]) -> None:
        """End jobs."""
        await self._run(self.backend.cancel_command(ids))

    def cancel_at_exit(self, ids: Sequence[str]) -> None:
        """End jobs as the interpreter ends, when no other thread can be had any more."""
        run_at_exit([*self._prefix, *self.backend.cancel_command(ids)], _EXIT_TIMEOUT_S)

    async def _run(self, command: Sequence[str], timeout_s: float = math.inf) -> Output:
        return await run_program([*self._prefix, *command], min(self._timeout_s, timeout_s))


def _write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o700)
