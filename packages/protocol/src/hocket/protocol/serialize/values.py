"""Values: results and scattered data, in one piece or with their big buffers beside them.

A packed value is a list of buffers. The first is its pickle (protocol 5), the others are the
out-of-band buffers that the pickle asks for (PEP 574), which are neither copied nor joined here.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, Final

from hocket.core.errors import SerializationError
from hocket.protocol.serialize.pickling import (
    PLAIN,
    PROTOCOL,
    dump,
    dump_out_of_band,
    reason_of,
)

__all__ = ["OUT_OF_BAND_NBYTES_MIN", "dump_value", "load_value", "pack", "unpack"]

#: Smaller buffers stay in the pickle: they cost less to copy than to send by themselves.
OUT_OF_BAND_NBYTES_MIN: Final = 4096

_dumps = pickle.dumps
_loads = pickle.loads


def dump_value(value: object, what: str = "the value") -> bytes:
    """Pickle a value in one piece.

    Parameters
    ----------
    value
        Anything that can be pickled.
    what
        What the value is, for the message of an error.

    Raises
    ------
    SerializationError
        It cannot be pickled.
    """
    if type(value) in PLAIN:
        return _dumps(value, PROTOCOL)
    try:
        return dump(value)
    except Exception as error:
        raise _cannot(what, value, error) from error


def load_value(data: bytes | memoryview, what: str = "the value") -> Any:
    """Unpickle what `dump_value` returned.

    Raises
    ------
    SerializationError
        It cannot be unpickled here, say because a module is missing.
    """
    try:
        return _loads(data)
    except Exception as error:
        raise _cannot(what, data, error) from error


def pack(value: object, what: str = "the value") -> list[bytes | memoryview]:
    """Pickle a value into buffers: its pickle, then the big buffers of arrays as they lie.

    The buffers are views: they keep the arrays alive, and change with them.

    Raises
    ------
    SerializationError
        It cannot be pickled.
    """
    kind = type(value)
    if kind is bytes or kind is bytearray:
        nbytes = len(value)  # type: ignore[arg-type]
        if nbytes >= OUT_OF_BAND_NBYTES_MIN:
            # Pickle would copy it into its own output.
            return [_BYTES if kind is bytes else _BYTEARRAY, memoryview(value)]  # type: ignore[arg-type]
    try:
        return dump_out_of_band(value, OUT_OF_BAND_NBYTES_MIN)
    except Exception as error:
        raise _cannot(what, value, error) from error


def unpack(buffers: Sequence[bytes | memoryview], what: str = "the value") -> Any:
    """Unpickle what `pack` returned; arrays use the buffers given, without copying them.

    They can be written to if the buffers can.

    Raises
    ------
    SerializationError
        It cannot be unpickled here, or buffers are missing or left over.
    """
    try:
        iterator = iter(buffers)
        value = _loads(next(iterator), buffers=iterator)
        left = sum(1 for _ in iterator)
    except StopIteration:
        raise SerializationError(what=what, type_name="bytes", reason="no buffers") from None
    except Exception as error:
        raise _cannot(what, buffers[0], error) from error
    if left:
        raise SerializationError(
            what=what, type_name="bytes", reason=f"its pickle does not need {left} of the buffers"
        )
    return value


def _cannot(what: str, value: object, error: Exception) -> SerializationError:
    return SerializationError(
        what=what, type_name=type(value).__qualname__, reason=reason_of(error)
    )


class _OutOfBand:
    """Pickles as a call of a class on one out-of-band buffer."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return self.kind, (pickle.PickleBuffer(b""),)


_BYTES: Final = _dumps(_OutOfBand(bytes), PROTOCOL, buffer_callback=lambda _: False)
_BYTEARRAY: Final = _dumps(_OutOfBand(bytearray), PROTOCOL, buffer_callback=lambda _: False)
