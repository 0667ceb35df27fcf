"""How bytes are made of objects: plain pickle first, cloudpickle where pickle will not do.

Plain pickle is ten times as fast, and its bytes are the same each time. It will not do for two
kinds of objects: those it refuses (lambdas, closures), and those that it names as part of
``__main__``, which is another module in every process.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any, Final

from hocket.protocol.serialize.extensions import Reducer, extension_reducers
from hocket.protocol.serialize.labels import label_reducers

__all__ = [
    "MAIN",
    "PLAIN",
    "PROTOCOL",
    "Reducer",
    "dump",
    "dump_by_value",
    "dump_out_of_band",
    "dump_plainly",
    "goes_by_value",
    "is_portable",
    "reason_of",
]

#: The one pickle protocol that hocket's processes use.
PROTOCOL: Final = 5

#: Bytes that hold this may name something in ``__main__``.
MAIN: Final = b"__main__"

#: Classes whose objects' pickles name nothing and refer to nothing.
PLAIN: Final = frozenset({bool, bytes, complex, float, int, str, type(None)})

_dumps = pickle.dumps


def goes_by_value() -> bool:
    """Tell whether the user registered modules with cloudpickle's ``register_pickle_by_value``.

    Their functions and classes must not be pickled by name, so plain pickle cannot be asked.
    """
    # Nobody can have registered anything where nobody imported it.
    cloudpickle = sys.modules.get("cloudpickle")
    # (It is there, but empty, while another thread imports it.)
    registered = getattr(cloudpickle, "list_registry_pickle_by_value", None)
    return registered is not None and bool(registered())


def is_portable(data: bytes) -> bool:
    """Tell whether another process can read what plain pickle made."""
    # ``find``, since ``in`` raises and catches a TypeError before it looks: 0.28 against 0.07 us.
    return data.find(MAIN) < 0 and not goes_by_value()


def dump_plainly(
    value: object, buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None
) -> bytes:
    """Pickle a value with pickle, and as the packages want it that its objects are of.

    Parameters
    ----------
    value
        What to pickle.
    buffer_callback
        As for `pickle.dumps`.
    """
    extensions = extension_reducers()
    if labels := label_reducers(type(value)):
        extensions = {**extensions, **labels}
    if not extensions:
        if buffer_callback is None:
            return _dumps(value, PROTOCOL)
        return _dumps(value, PROTOCOL, buffer_callback=buffer_callback)
    file = io.BytesIO()
    pickler = pickle.Pickler(file, PROTOCOL, buffer_callback=buffer_callback)
    pickler.dispatch_table = {**copyreg.dispatch_table, **extensions}
    pickler.dump(value)
    return file.getvalue()


def dump(value: object) -> bytes:
    """Pickle a value in one piece.

    Raises
    ------
    Exception
        Whatever the value's own reducers raise, or pickle because it cannot pickle the value.
    """
    try:
        data = dump_plainly(value)
        if is_portable(data):
            return data
    except Exception:  # noqa: BLE001, S110 - cloudpickle raises its own
        pass
    return dump_by_value(value)


def dump_out_of_band(value: object, buffer_nbytes_min: int) -> list[bytes | memoryview]:
    """Pickle a value with its buffers of at least a size beside it, as they lie.

    Raises
    ------
    Exception
        As for `dump`.
    """
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        """Take a buffer out of the pickle; True leaves it in."""
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < buffer_nbytes_min:
            return True
        buffers.append(raw)
        return False

    try:
        data = dump_plainly(value, keep)
        if is_portable(data):
            return [data, *buffers]
    except Exception:  # noqa: BLE001, S110 - as in `dump`
        pass
    buffers.clear()
    data = dump_by_value(value, buffer_callback=keep)
    return [data, *buffers]


def dump_by_value(
    value: object,
    *,
    reducers: Mapping[type, Reducer] | None = None,
    buffer_callback: Callable[[Any], Any] | None = None,
) -> bytes:
    """Pickle a value with cloudpickle.

    Parameters
    ----------
    value
        What to pickle.
    reducers
        How to take apart objects of these classes.
    buffer_callback
        As for `pickle.dumps`.
    """
    # Imported here, as many processes never need it.
    import cloudpickle  # noqa: PLC0415

    pickler_class: Any = cloudpickle.Pickler
    extra = {**extension_reducers(), **(reducers or {})}
    if extra:
        table = ChainMap(extra, cloudpickle.Pickler.dispatch_table, copyreg.dispatch_table)
        # A class, because the C pickler looks for the table only while it is made.
        pickler_class = type("_Pickler", (cloudpickle.Pickler,), {"dispatch_table": table})
    file = io.BytesIO()
    pickler_class(file, protocol=PROTOCOL, buffer_callback=buffer_callback).dump(value)
    return file.getvalue()


def reason_of(error: BaseException) -> str:
    """Return an error as one line for a message: its class, and what it says if it can."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an error may fail even at this
        return name
    return f"{name}: {text}" if text else name
