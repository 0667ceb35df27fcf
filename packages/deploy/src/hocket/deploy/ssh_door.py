"""Jobs on hosts that SSH leads to: each is a shell there, which becomes a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import Scalar
from hocket.deploy.job_door import JobDoor, Refused
from hocket.deploy.job_logs import cannot_start, read_tail
from hocket.deploy.job_script import JobFiles, script_lines
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.reconcile.jobs import Phase, Sighting

if TYPE_CHECKING:
    import asyncssh

__all__ = ["SSHDoor", "import_asyncssh"]

log = logging.getLogger("hocket.deploy")

_CONNECT_TIMEOUT_S: Final = 15.0
#: How long what was asked to end may take before its connection is cut.
_END_TIMEOUT_S: Final = 5.0
_PROCESS: Final = re.compile(rb"hocket: process ([0-9]{1,9})\n")
_LOG_NBYTES_MAX: Final = 64 << 20


def import_asyncssh() -> Any:
    """Return the module.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        import asyncssh  # noqa: PLC0415 - only here it is needed
    except ImportError:
        raise SettingsError(
            name="SSHCluster",
            value="asyncssh",
            allowed="asyncssh is not installed; pip install hocket-deploy[ssh]",
            source="code",
        ) from None
    return asyncssh


class _Job:
    """A shell on a host."""

    def __init__(self, host: str, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self.host = host
        self.process = process
        self.copying: asyncio.Task[None]
        #: Its process there; None: it has not said so yet.
        self.pid: int | None = None


class SSHDoor(JobDoor):
    """Runs jobs over SSH, the next on the host that has fewest and has not failed.

    Parameters
    ----------
    hosts
        Names or addresses.
    files
        Of the cluster; logs are written here, and nothing is shared.
    specs
        By group, what its jobs are.
    token
        Returns the invitation as one word, once there is a scheduler.
    told
        Settings for the workers.
    options
        For `asyncssh.connect`.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        files: JobFiles,
        specs: Mapping[str, JobSpec],
        *,
        token: Callable[[], str],
        told: Mapping[str, Scalar],
        options: Mapping[str, Any],
    ) -> None:
        self._hosts = tuple(hosts)
        self._files = files
        self._specs = specs
        self._token = token
        self._told = told
        self._options = dict(options)
        self._asyncssh = import_asyncssh()
        self._connections: dict[str, asyncio.Task[asyncssh.SSHClientConnection]] = {}
        self._jobs: dict[str, _Job] = {}
        #: By host: jobs that are being started or run there; and how often that came to nothing.
        self._counts = dict.fromkeys(self._hosts, 0)
        self._failures = dict.fromkeys(self._hosts, 0)

    def script(self, group: str, job: str) -> str:
        """Return the script of a job, with stars in the place of the secret."""
        return self._script(group, job, "***")

    def _script(self, group: str, job: str, token: str) -> str:
        joining = []
        for name, value in self._told.items():
            joining += ["--set", f"{name}={value}"]
        lines = ["echo hocket: process $$", f"export HOCKET_SECURITY__TOKEN={shlex.quote(token)}"]
        lines += script_lines(self._specs[group], job, self._files, joining)
        return "\n".join(lines) + "\n"

    async def submit(self, group: str, job: str) -> str:
        """Have a job run on a host; return its id."""
        # One where it failed is tried again when it has failed as often elsewhere.
        host = min(self._hosts, key=lambda one: (self._failures[one], self._counts[one]))
        self._counts[host] += 1
        try:
            connection = await self._connect(host)
            # The script goes in by its standard input: so no other user there sees the secret.
            process = await connection.create_process(
                "bash -s", encoding=None, stderr=self._asyncssh.STDOUT
            )
            process.stdin.write(self._script(group, job, self._token()).encode())
            process.stdin.write_eof()
        except (OSError, self._asyncssh.Error, TimeoutError) as error:
            self._counts[host] -= 1
            self._failures[host] += 1
            self._connections.pop(host, None)
            reason = f"{host} cannot be reached over SSH: {error or type(error).__name__}"
            # (A host that is down may come up; who is not let in will not be.)
            permanent = isinstance(
                error, self._asyncssh.PermissionDenied | self._asyncssh.HostKeyNotVerifiable
            )
            raise Refused(reason=reason, permanent=permanent and self._all_failed()) from None
        id_ = f"{job}@{host}"
        started = self._jobs[id_] = _Job(host, process)
        copying = self._copy(started, self._files.log(job))
        started.copying = asyncio.get_running_loop().create_task(copying)
        return id_

    async def _connect(self, host: str) -> asyncssh.SSHClientConnection:
        """Return the connection to a host; jobs share it."""
        task = self._connections.get(host)
        if task is None or (task.done() and (task.exception() or task.result().is_closed())):
            options = {"connect_timeout": _CONNECT_TIMEOUT_S, "keepalive_interval": 15}
            connecting = self._asyncssh.connect(host, **{**options, **self._options})
            task = asyncio.ensure_future(connecting)
            self._connections[host] = task
        return await asyncio.shield(task)

    async def _copy(self, job: _Job, path: Path) -> None:
        """Write what a job says into its log."""
        nbytes = 0
        with path.open("ab", buffering=0) as file, contextlib.suppress(self._asyncssh.Error):
            while data := await job.process.stdout.read(1 << 16):
                if job.pid is None and (said := _PROCESS.match(data)):
                    job.pid = int(said[1])
                if nbytes < _LOG_NBYTES_MAX:
                    file.write(data)
                nbytes += len(data)

    async def look(
        self, ids: Sequence[str], fresh: Sequence[str], staying: Sequence[str]
    ) -> dict[str, Sighting]:
        """Return what becomes of jobs, by id."""
        del fresh, staying
        found = {}
        for id_ in ids:
            job = self._jobs.get(id_)
            if job is None:
                continue
            if job.copying.done() and job.process.is_closing():
                found[id_] = self._ended(id_, job)
                self._forget(id_)
            else:
                found[id_] = Sighting(Phase.RUNNING, hosts=job.host)
        return found

    def _ended(self, id_: str, job: _Job) -> Sighting:
        status = job.process.returncode
        if job.process.exit_signal:
            reason = f"killed by SIG{job.process.exit_signal[0]}"
        elif status is None or status < 0:
            reason = "the connection was lost"
        else:
            reason = f"exit code {status}"
        if status != 0:
            self._failures[job.host] += 1
        why = cannot_start(read_tail(self._files.log(id_.rpartition("@")[0])) or "")
        return Sighting(
            Phase.ENDED,
            why or reason,
            never=bool(why) and self._all_failed(),
            hosts=job.host,
            exit_code=status,
        )

    def _all_failed(self) -> bool:
        return all(self._failures.values())

    def _forget(self, id_: str) -> None:
        self._counts[self._jobs.pop(id_).host] -= 1

    async def cancel(self, ids: Sequence[str]) -> None:
        """End jobs: ask, and cut their channels after a while."""
        jobs = [self._jobs[id_] for id_ in ids if id_ in self._jobs]
        for job in jobs:
            await self._terminate(job)
        if jobs:
            await asyncio.wait([job.copying for job in jobs], timeout=_END_TIMEOUT_S)
        for job in jobs:
            if not job.copying.done():
                with contextlib.suppress(OSError, self._asyncssh.Error):
                    job.process.kill()
            job.process.close()

    async def _terminate(self, job: _Job) -> None:
        with contextlib.suppress(OSError, TimeoutError, self._asyncssh.Error):
            if job.pid is None:
                job.process.terminate()
                return
            # Many servers pass no signals on.
            connection = await self._connect(job.host)
            command = f"kill -TERM {job.pid}"
            await connection.run(command, check=False, timeout=_END_TIMEOUT_S)

    async def close(self) -> None:
        """Close all connections."""
        for job in self._jobs.values():
            job.copying.cancel()
        for task in self._connections.values():
            task.cancel()
            with contextlib.suppress(OSError, self._asyncssh.Error, asyncio.CancelledError):
                connection = await task
                connection.close()
                await connection.wait_closed()
