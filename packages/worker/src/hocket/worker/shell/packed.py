"""Values that came from elsewhere, as they came: unpickled when a task first needs them.

A value that nobody here reads is never unpickled, and one that is asked for again goes out as it
came in. Unpickling runs code of the user's, so the thread of the task that needs the value does it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from hocket.core.actor_class import UNSHARED
from hocket.core.errors import SerializationError
from hocket.protocol.serialize import pack, unpack
from hocket.worker.errors import FileDamaged
from hocket.worker.shell.spill_files import SpillFile, read_patiently
from hocket.worker.state import Datum

__all__ = ["Packed", "pack_datum", "pack_value", "split", "value_of"]

#: A smaller value is copied out of the block in which it came with others, so that it does not keep
#: the whole block alive.
_COPY_NBYTES_MAX: Final = 64 * 1024


class Packed:
    """One value as buffers: its pickle, and what the pickle keeps beside it.

    Parameters
    ----------
    buffers
        As `hocket.protocol.serialize.pack` returned them.
    """

    __slots__ = ("_buffers", "_loaded", "_lock", "_value", "nbytes")

    def __init__(self, buffers: list[memoryview | bytes | bytearray]) -> None:
        self._buffers = buffers
        self._lock = threading.Lock()
        self._loaded = False
        self._value: object = None
        #: The size of the buffers.
        self.nbytes = sum(memoryview(buffer).nbytes for buffer in buffers)

    @property
    def buffers(self) -> list[memoryview]:
        """The buffers, to be sent as they lie."""
        return [memoryview(buffer) for buffer in self._buffers]

    def load(self, what: str) -> object:
        """Return the value; it is unpickled only once, whoever comes first (but see `UNSHARED`).

        Raises
        ------
        SerializationError
            It cannot be unpickled here.
        """
        with self._lock:
            if not self._loaded:
                value = unpack(self.buffers, what)
                if hasattr(type(value), UNSHARED):
                    return value
                self._value = value
                self._loaded = True
            return self._value


def value_of(datum: Datum) -> object:
    """Return a value that is held, unpickled.

    Raises
    ------
    SerializationError
        It cannot be unpickled here.
    """
    value = datum.value
    if type(value) is not Packed:
        return value
    loaded = value.load(f"the value of {datum.key!r}")
    if hasattr(type(loaded), UNSHARED):
        return loaded
    # The buffers go, as far as the value does not use them itself.
    datum.value = loaded
    return loaded


def pack_datum(datum: Datum) -> list[memoryview]:
    """Return a value that is held as buffers to send.

    Raises
    ------
    SerializationError
        It cannot be pickled; the error names key and type.
    FileDamaged
        It is in a file, and that is not what it was.
    """
    value = datum.value
    while type(value) is SpillFile:
        try:
            return read_patiently(value)
        except FileDamaged:
            if datum.value is value:
                raise
            # It was read back meanwhile, and the file removed; it may even be in another.
            value = datum.value
    return pack_value(value, f"the value of {datum.key!r}")


def pack_value(value: object, what: str) -> list[memoryview]:
    """Return a value in memory as buffers.

    Raises
    ------
    SerializationError
        It cannot be pickled; the error names what it is, and its type.
    """
    if type(value) is Packed:
        return value.buffers
    try:
        return [memoryview(buffer) for buffer in pack(value, what)]
    except SerializationError:
        raise
    except BaseException as error:  # Reducers of the user's may raise even SystemExit.
        raise SerializationError(
            what=what,
            type_name=type(value).__qualname__,
            reason=f"{type(error).__name__} was raised while it was pickled",
        ) from error


def split(
    sizes: Sequence[Sequence[int] | None], buffers: Sequence[memoryview]
) -> Iterator[Packed | None]:
    """Yield the values whose buffers came one after another in one message.

    Parameters
    ----------
    sizes
        Per value the sizes of its buffers, or None if it did not come.
    buffers
        All of them, in order.
    """
    rest = iter(buffers)
    is_shared = len(sizes) > 1
    for of_value in sizes:
        if of_value is None:
            yield None
            continue
        own: list[memoryview | bytes | bytearray] = [next(rest) for _ in of_value]
        if is_shared and sum(of_value) < _COPY_NBYTES_MAX:
            # Writable, as the originals are: arrays lie in them.
            own = [bytearray(buffer) for buffer in own]
        yield Packed(own)
