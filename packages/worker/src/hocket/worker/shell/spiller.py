"""Writes values into files and reads them back, in threads of its own, as the machine commands.

Pickling a value can take long and runs code of the user's; so can letting go of it. Both are done
here.
"""

from __future__ import annotations

import ctypes
import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from queue import SimpleQueue
from time import perf_counter
from typing import Final

from hocket.core.errors import SerializationError
from hocket.core.settings import WorkerSettings
from hocket.transport import now
from hocket.worker.errors import FileDamaged
from hocket.worker.policy.memory import disk_shortage
from hocket.worker.shell.desk import Desk
from hocket.worker.shell.packed import Packed, pack_value
from hocket.worker.shell.spill_directory import SpillDirectory, parent_directory
from hocket.worker.shell.spill_files import SpillFile, read_patiently, write_file
from hocket.worker.state import DropFile, Spill, Unspill

__all__ = ["Spiller", "is_on_device"]

_logger: Final = logging.getLogger("hocket.worker")

#: After so many bytes of values that were let go of, the C library is asked for what it keeps.
_TRIM_NBYTES: Final = 16 << 20
#: What is looked at of a collection for arrays on devices.
_SAMPLE_MAX: Final = 8

#: Asks to remove what dead workers have left.
_SWEEP: Final = object()


class _Full(Exception):
    """The disk takes no more."""


class Spiller:
    """Moves values between memory and disk.

    Parameters
    ----------
    desk
        The machine, and how to wake those who wait for it.
    settings
        Where the files go, and how much may be in them.

    Raises
    ------
    SettingsError
        No files can be made where the settings say.
    """

    def __init__(self, desk: Desk, settings: WorkerSettings) -> None:
        self._desk = desk
        self._disk = desk.machine.disk
        self._name = desk.machine.name
        self._directory = SpillDirectory(parent_directory(settings.local_directory))
        self._used_nbytes_max = settings.spill_nbytes_max
        self._free_nbytes_min = settings.spill_free_nbytes_min
        self._writer = _Lane(f"{self._name} spill", self._write)
        self._reader = _Lane(f"{self._name} unspill", self._read)
        # These belong to the writer's thread.
        self._used_nbytes = 0
        self._serial = 0
        self._freed_nbytes = 0
        self._is_said = False

    def start(self) -> None:
        """Remove what dead workers have left."""
        self._writer.put(_SWEEP)

    def obey(self, command: Spill | Unspill | DropFile) -> None:
        """Do what the machine commands, soon."""
        lane = self._reader if isinstance(command, Unspill) else self._writer
        lane.put(command)

    def close(self, timeout_s: float) -> bool:
        """End the threads, and remove all files; return whether they have ended."""
        ended = [lane.close(timeout_s) for lane in (self._writer, self._reader)]
        self._directory.close()
        return all(ended)

    def _tell(self, event: Callable[[], None]) -> None:
        """Tell the machine something, and wake those for whom that changes anything."""
        with self._desk.lock:
            event()
            if not self._desk.closing:
                self._desk.wake()
                self._desk.flush_soon()

    # In the writer's thread.

    def _write(self, command: object) -> None:
        if isinstance(command, Spill):
            self._spill(command)
        elif isinstance(command, DropFile):
            self._drop(command.file)
        else:
            self._directory.sweep()

    def _spill(self, spill: Spill) -> None:
        disk, start_s, began_s = self._disk, now(), perf_counter()
        try:
            file = self._to_file(spill.value, f"the value of {spill.datum.key!r}")
        except SerializationError as error:
            reason = str(error)
            _logger.debug("worker %r keeps a value in memory: %s", self._name, reason)
            self._tell(lambda: disk.cannot_spill(spill, reason))
            return
        except (OSError, _Full) as error:
            reason = f"{error.strerror or error}" if isinstance(error, OSError) else str(error)
            if not self._is_said:
                self._is_said = True
                _logger.warning(
                    "worker %r puts no more results into files: %s; they stay in memory, and it"
                    " pauses where that is short",
                    self._name,
                    reason,
                )
            self._tell(lambda: disk.is_full(spill, reason, now()))
            return
        except Exception as error:
            # Whatever it is, the machine waits for an answer.
            _logger.exception("an error while %r was done", spill)
            reason = f"{type(error).__name__}: {error}"
            self._tell(lambda: disk.cannot_spill(spill, reason))
            return
        self._used_nbytes += file.nbytes
        duration_s = perf_counter() - began_s
        self._tell(lambda: disk.spilled(spill, file, start_s, duration_s))
        # The value goes here, and not under the lock or on the loop.
        spill.value = None
        self._freed_nbytes += spill.nbytes
        if self._freed_nbytes >= _TRIM_NBYTES:
            self._freed_nbytes = 0
            if _trim is not None:
                _trim(0)

    def _to_file(self, value: object, what: str) -> SpillFile:
        if is_on_device(value):
            kind = type(value).__qualname__
            raise SerializationError(what=what, type_name=kind, reason="it is on a device")
        try:
            buffers = pack_value(value, what)
        except SerializationError as error:
            if isinstance(error.__cause__, MemoryError):
                # That may be otherwise later on.
                raise _Full("there is no memory in which to pickle a value") from None
            raise
        directory = self._directory.path()
        shortage = disk_shortage(
            sum(buffer.nbytes for buffer in buffers),
            used_nbytes=self._used_nbytes,
            used_nbytes_max=self._used_nbytes_max,
            free_nbytes=shutil.disk_usage(directory).free,
            free_nbytes_min=self._free_nbytes_min,
        )
        if shortage:
            raise _Full(shortage)
        self._serial += 1
        return write_file(directory / str(self._serial), buffers)

    def _drop(self, file: object) -> None:
        assert isinstance(file, SpillFile)
        self._used_nbytes -= file.nbytes
        with suppress(OSError):
            file.path.unlink()

    # In the reader's thread.

    def _read(self, command: object) -> None:
        assert isinstance(command, Unspill)
        disk, start_s, began_s = self._disk, now(), perf_counter()
        try:
            assert isinstance(command.file, SpillFile)
            value = Packed([*read_patiently(command.file)])
        except FileDamaged as error:
            reason = str(error)
            _logger.warning("%s", reason)
            self._tell(lambda: disk.lost(command.datum, command.file, reason, now()))
            return
        duration_s = perf_counter() - began_s
        self._tell(lambda: disk.unspilled(command, value, start_s, duration_s))


def is_on_device(value: object) -> bool:
    """Tell whether a value is an array in the memory of a device, or a collection of such."""
    if isinstance(value, dict):
        try:
            value = tuple(islice(dict.values(value), _SAMPLE_MAX))
        except RuntimeError:  # A thread of the user's changes it just now.
            value = ()
    some = value[:_SAMPLE_MAX] if type(value) in {list, tuple} else (value,)  # type: ignore[index]
    return any(_has_interface(one) for one in some)


def _has_interface(value: object) -> bool:
    try:
        return hasattr(value, "__cuda_array_interface__")
    except BaseException:  # noqa: BLE001 - code of the user's
        return False


class _Lane:
    """A thread that does one thing after the other; it begins with the first."""

    def __init__(self, name: str, do: Callable[[object], None]) -> None:
        self._name = name
        self._do = do
        self._commands: SimpleQueue[object] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._is_closed = False

    def put(self, command: object) -> None:
        """Have something done; nothing is any more once it is closed."""
        with self._guard:
            if self._is_closed:
                return
            self._commands.put(command)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # The system has no more. It is tried again with the next command.
                    _logger.warning("cannot start the thread %r: %s", self._name, error)
                    return
                self._thread = thread

    def close(self, timeout_s: float) -> bool:
        """Do no more than what is being done; return whether that has ended."""
        with self._guard:
            self._is_closed = True
            self._commands.put(None)
            thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            command = self._commands.get()
            if command is None or self._is_closed:
                return
            try:
                self._do(command)
            except Exception:
                # What waits for this would wait for ever, but others go on.
                _logger.exception("a bug in hocket, please report: %r was not done", command)
            # A value may be in it.
            del command


def _find_trim() -> Callable[[int], int] | None:
    """Return the function of the C library that gives memory back; not all have one."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return found


_trim: Final = _find_trim()
