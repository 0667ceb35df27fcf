"""Plugins of workers: what is set up on each worker before it runs tasks, and taken down after.

What is pickled by name has to be where workers run, so these are here, on the lowest floor.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any, ClassVar, Final

from hocket.core.errors import InternalError
from hocket.core.worker_view import WorkerView, current_worker

__all__ = ["UploadedFile", "WorkerPlugin", "install", "remove", "remove_all"]

_ARCHIVES: Final = (".zip", ".egg", ".whl")


class WorkerPlugin:
    """What sets up each worker; to be derived from, though anything with these methods will do.

    Attributes
    ----------
    name
        One that is installed under the name of another takes its place.
    """

    name: ClassVar[str] = ""

    def setup(self, worker: WorkerView) -> None:
        """Set up a worker: once, before it runs tasks, or now if it does already."""

    def teardown(self, worker: WorkerView) -> None:
        """Take down what was set up: at the worker's end, or when the plugin is removed."""


def install(name: str, plugin: Any) -> None:
    """Set up the worker that this runs on; another plugin of the name is taken down before."""
    worker = _worker_here()
    remove(name)
    setup = getattr(plugin, "setup", None)
    if setup is not None:
        setup(worker)
    worker.plugins[name] = plugin


def remove(name: str) -> bool:
    """Take down a plugin on the worker that this runs on; return whether there was one."""
    worker = _worker_here()
    if name not in worker.plugins:
        return False
    plugin = worker.plugins.pop(name)
    teardown = getattr(plugin, "teardown", None)
    if teardown is not None:
        teardown(worker)
    return True


def remove_all(worker: WorkerView) -> list[Exception]:
    """Take down all plugins of a worker, those installed last first; return what they raised."""
    raised = []
    while worker.plugins:
        _, plugin = worker.plugins.popitem()
        teardown = getattr(plugin, "teardown", None)
        if teardown is None:
            continue
        try:
            teardown(worker)
        except Exception as error:  # noqa: BLE001 - the user's; the others are taken down all the same
            raised.append(error)
    return raised


def _worker_here() -> WorkerView:
    worker = current_worker()
    if worker is None:
        raise InternalError(fault="a plugin was to be installed where no worker is")
    return worker


class UploadedFile(WorkerPlugin):
    """A file that every worker has; what can be imported from it can be imported there.

    Parameters
    ----------
    file_name
        Without a directory.
    data
        What is in it.
    """

    def __init__(self, file_name: str, data: bytes) -> None:
        self.file_name = file_name
        self.data = data

    def setup(self, worker: WorkerView) -> None:
        """Write the file, and make its modules those that are imported."""
        path = Path(worker.directory, self.file_name)
        # Nobody must see half of it.
        unfinished = path.with_name(f"{self.file_name}.unfinished")
        unfinished.write_bytes(self.data)
        unfinished.replace(path)
        place = str(path) if path.suffix in _ARCHIVES else worker.directory
        if place not in sys.path:
            sys.path.insert(0, place)
        sys.path_importer_cache.pop(place, None)
        importlib.invalidate_caches()
        if path.suffix == ".py":
            # One of this name that is there already is another now; so is its compiled form, which
            # Python would tell from the new only by size and second.
            Path(cache_from_source(str(path))).unlink(missing_ok=True)
            sys.modules.pop(path.stem, None)
            importlib.import_module(path.stem)
        # Functions of tasks may be of the old module, or have found none.
        worker.forget_functions()

    def teardown(self, worker: WorkerView) -> None:
        """Remove the file; what was imported from it stays."""
        path = Path(worker.directory, self.file_name)
        path.unlink(missing_ok=True)
        with contextlib.suppress(ValueError):
            sys.path.remove(str(path))
