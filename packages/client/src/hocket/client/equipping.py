"""Keeping workers fit for a client's tasks: plugins, files, versions, and what they log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from hocket.client.consuming import Consumption
from hocket.client.failures import error_of_failure
from hocket.client.options import check_text, worker_names
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import apart, waits
from hocket.core.errors import LimitExceeded, SettingsError, VersionsDiffer
from hocket.core.package_versions import differences, package_versions
from hocket.core.recent_logs import LogLine, read_recent
from hocket.core.worker_plugins import UploadedFile, install, remove
from hocket.protocol.checks import NAME_LENGTH_MAX
from hocket.protocol.feed import EventConsumer
from hocket.protocol.messages import DropSetup, EverywhereRan, KeepSetup, RunEverywhere
from hocket.protocol.serialize import ArgumentPickler, dump_function, load_value

__all__ = ["Equipper", "VersionsFound"]

_UPLOADED: Final = "upload_file "


class VersionsFound(NamedTuple):
    """What `Client.get_versions` returns: versions by package, here and on workers by address."""

    client: dict[str, str]
    workers: dict[str, dict[str, str]]


class Equipper:
    """What a client can do for the workers of its tasks; a part of `Client`."""

    _session: ClientSession

    @waits
    async def register_plugin(self, plugin: Any, name: str | None = None) -> dict[str, None]:
        """Set up every worker: those that are there now, and those that come before they run tasks.

        It outlives the client. A worker that comes and on which the set-up raises is let go.

        A consumer of events is set up nowhere: it runs in this process, in the thread for
        callbacks, hears of what happens in the cluster, and ends with the client. (The scheduler
        starts those that its setting ``scheduler.consumers`` names.)

        Parameters
        ----------
        plugin
            Something with ``setup(worker)`` and ``teardown(worker)``, or one of them; see
            `hocket.core.worker_plugins.WorkerPlugin`. What they get is a
            `hocket.core.worker_view.WorkerView`. Or a `hocket.protocol.feed.EventConsumer`.
        name
            One that is there under the same name is taken down first. None: the plugin's attribute
            ``name``, or its class's name.

        Returns
        -------
        dict
            The addresses of the workers that were set up now.

        Raises
        ------
        TypeError
            It has neither method and is no consumer, or is a class.
        SerializationError
            It cannot be pickled.
        Exception
            What ``setup`` raised on the first worker where it did; it is not kept then.
        NoCapacity
            Too much is set up already.
        """
        is_consumer = isinstance(plugin, EventConsumer)
        if isinstance(plugin, type) or not (
            is_consumer or hasattr(plugin, "setup") or hasattr(plugin, "teardown")
        ):
            raise TypeError(
                "a plugin is an object with the method setup(worker) or teardown(worker), or an"
                f" EventConsumer, not {plugin!r:.100}"
            )
        name = name or getattr(plugin, "name", "") or type(plugin).__name__
        if is_consumer:
            await self._consume(name, plugin)
            return {}
        return dict.fromkeys(await self._keep(name, plugin))

    @waits
    async def unregister_scheduler_plugin(self, name: str) -> None:
        """Let a consumer of events hear of nothing any more.

        Raises
        ------
        KeyError
            This client has registered none of this name.
        """
        consumption = self._session.machine.feeds.consumers.pop(name, None)
        if consumption is None:
            raise KeyError(f"this client has registered no event consumer named {name!r}")
        consumption.stop()

    async def _consume(self, name: str, consumer: EventConsumer) -> None:
        session = self._session
        consumption = Consumption(session, consumer)
        await consumption.beginning()
        before = session.machine.feeds.consumers.pop(name, None)
        session.machine.feeds.consumers[name] = consumption
        if before is not None:
            before.stop()

    @waits
    async def unregister_worker_plugin(self, name: str) -> dict[str, bool]:
        """Take a plugin down on all workers, and set up those that come without it.

        Returns
        -------
        dict
            By the worker's address, whether it had the plugin.

        Raises
        ------
        NoCapacity
            No plugin has this name.
        Exception
            What ``teardown`` raised on the first worker where it did.
        """
        check_text("name", name, NAME_LENGTH_MAX)
        payload = ArgumentPickler().dumps((name,), {})
        function = dump_function(remove)
        reply = await self._session.ask(
            EverywhereRan,
            lambda number: DropSetup(number, name, function.blob, payload),
            needs={"plugin": name},
        )
        return {
            address: load_value(value) for address, value in _values(reply, f"teardown of {name!r}")
        }

    @waits
    async def upload_file(self, path: str | Path) -> list[str]:
        """Give every worker a file, those that come too, and make it importable there.

        A ``.py`` file can be imported by its name from then on; an earlier one of the name is
        replaced, also for functions that were sent before. So can what is in a ``.zip``, ``.egg``
        or ``.whl``. Tasks find any other file in ``get_worker().directory``.

        Returns
        -------
        list of str
            The addresses of the workers that have it now.

        Raises
        ------
        OSError
            The file cannot be read.
        LimitExceeded
            It is too large to be sent as one message; put it where workers can read it.
        Exception
            What was raised when a worker imported it.
        """
        path = Path(path)
        data = await apart(path.read_bytes)
        limit = self._session.settings.transport.frame_nbytes_max // 2
        if len(data) > limit:
            raise LimitExceeded(what=f"the file {path.name!r}", limit=limit, asked=len(data))
        return await self._keep(f"{_UPLOADED}{path.name}", UploadedFile(path.name, data))

    @waits
    async def get_versions(
        self,
        check: bool = False,  # noqa: FBT001, FBT002 - dask.distributed's
        packages: Iterable[str] = (),
    ) -> VersionsFound:
        """Return the versions of Python and packages, here and on the workers.

        The scheduler is not asked: it needs none of them, and that it speaks the same protocol is
        checked when one connects.

        Parameters
        ----------
        check
            Whether to raise if they differ.
        packages
            Of other distributions, too.

        Raises
        ------
        VersionsDiffer
            Some differ; the error says which, and where.
        """
        names = list(packages)
        ours = package_versions(names)
        theirs = dict(await self._run_on_all(package_versions, (names,)))
        found = VersionsFound(ours, theirs)
        if check and (differing := differences(ours, theirs)):
            raise VersionsDiffer(differences=differing)
        return found

    @waits
    async def get_worker_logs(
        self, n: int | None = None, workers: str | Iterable[str] | None = None
    ) -> dict[str, list[LogLine]]:
        """Return what workers logged lately, and what tasks printed there.

        Workers that are processes of their own keep the last 10,000 lines; those that are threads
        of another process log as that does.

        Parameters
        ----------
        n
            How many lines of each; None: all that are kept.
        workers
            Names or addresses of the only workers to ask; None: all.

        Returns
        -------
        dict
            By the worker's address, its lines, the oldest first.
        """
        if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 0):
            raise SettingsError(
                name="n", value=n, allowed="a number of lines", source="get_worker_logs()"
            )
        logs = await self._run_on_all(read_recent, (n,), worker_names(workers))
        return {address: [LogLine(*line) for line in lines] for address, lines in logs}

    async def _keep(self, name: str, plugin: Any) -> list[str]:
        check_text("name", name, NAME_LENGTH_MAX)
        payload = ArgumentPickler().dumps((name, plugin), {})
        function = dump_function(install)
        reply = await self._session.ask(
            EverywhereRan,
            lambda number: KeepSetup(number, name, function.blob, payload),
            needs={"plugin": name},
        )
        return [address for address, _ in _values(reply, f"set-up {name!r}")]

    async def _run_on_all(
        self, function: Any, args: tuple[Any, ...], workers: Iterable[str] = ()
    ) -> list[tuple[str, Any]]:
        names = list(workers)
        payload = ArgumentPickler().dumps(args, {})
        pickled = dump_function(function)
        reply = await self._session.ask(
            EverywhereRan,
            lambda number: RunEverywhere(number, pickled.blob, payload, names),
            needs={"workers": ", ".join(names) or "any"},
        )
        return [(address, load_value(value)) for address, value in _values(reply, pickled.label)]


def _values(reply: EverywhereRan, what: str) -> list[tuple[str, bytes]]:
    """Return the address and the pickled value of each worker; raise the first failure."""
    for failure in reply.failures:
        if failure is not None:
            raise error_of_failure(failure, what)
    return [
        (address, value)
        for address, value in zip(reply.workers, reply.values, strict=True)
        if value is not None
    ]
