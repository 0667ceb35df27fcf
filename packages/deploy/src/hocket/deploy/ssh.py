"""Workers on hosts that SSH leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hocket.core.errors import SettingsError
from hocket.deploy.cluster_options import split_options
from hocket.deploy.job_cluster import JobCluster
from hocket.deploy.job_door import JobDoor
from hocket.deploy.job_environment import told_settings
from hocket.deploy.job_script import JobFiles
from hocket.deploy.job_spec import JobSpec
from hocket.deploy.ssh_door import SSHDoor, import_asyncssh
from hocket.protocol.invitation import to_token
from hocket.transport.scheduler_file import read_scheduler_file

__all__ = ["SSHCluster"]


class SSHCluster(JobCluster):
    """A scheduler here, and workers on hosts that SSH leads to.

    Nothing need be shared: how to join goes through the connection, and logs come back by it. A
    "job" is what runs on a host; new ones go where fewest are.

    Parameters
    ----------
    hosts
        Names or addresses, or names of ``~/.ssh/config``.
    jobs
        To begin with; None: one on each host.
    connect_options
        For `asyncssh.connect`, for each host: ``username``, ``port``, ``client_keys``, ``config``,
        ``known_hosts`` and more.
    **options
        What each job is, and what the cluster is: as for `SLURMCluster`; ``python`` is the one of
        the hosts. Of ``cores`` and ``memory`` the hosts know nothing: they are what workers take.

    Raises
    ------
    SettingsError
        Something of this cannot be, or asyncssh is not installed; nothing was started.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        jobs: int | None = None,
        *,
        connect_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if isinstance(hosts, str) or not hosts or not all(isinstance(one, str) for one in hosts):
            raise SettingsError(
                name="hosts", value=hosts, allowed="it must be a list of hosts", source="code"
            )
        import_asyncssh()
        job, own = split_options(options, has_queue=False)
        spec = JobSpec(**job)
        self._hosts = tuple(dict.fromkeys(hosts))
        self._connect_options = dict(connect_options or {})
        jobs = len(self._hosts) if jobs is None else jobs
        super().__init__({spec.group: spec}, jobs=jobs, **own)

    def _open_door(self, files: JobFiles, specs: Mapping[str, JobSpec]) -> JobDoor:
        return SSHDoor(
            self._hosts,
            files,
            specs,
            token=lambda: to_token(read_scheduler_file(files.scheduler_file)),
            told=told_settings(self.settings),
            options=self._connect_options,
        )
