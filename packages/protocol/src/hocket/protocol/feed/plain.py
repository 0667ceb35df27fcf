"""Plain data as bytes: what may stand in users' events and metadata.

Nothing is pickled there, since the scheduler and dashboards read it, whoever wrote it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hocket.core.errors import SerializationError
from hocket.protocol.messages.feed import PAYLOAD_NBYTES_MAX, TEXT_LENGTH_MAX

__all__ = ["decode_plain", "encode_plain", "fit_text"]

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder()


def encode_plain(value: object, what: str) -> bytes:
    """Return plain data as bytes.

    Parameters
    ----------
    value
        None, a bool, a number, a text, bytes, a date or time, or lists, tuples, sets and dicts of
        these.
    what
        What it is, for errors.

    Raises
    ------
    SerializationError
        It is something else, or too large.
    """
    try:
        data = _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise SerializationError(
            what=what,
            type_name=type(value).__qualname__,
            reason=f"{error}; only plain data can be kept here (numbers, texts, bytes, times, and"
            " lists and dicts of these): say repr(value), or keep it with client.scatter",
        ) from None
    if len(data) > PAYLOAD_NBYTES_MAX:
        raise SerializationError(
            what=what,
            type_name=type(value).__qualname__,
            reason=f"it is {len(data)} bytes, and at most {PAYLOAD_NBYTES_MAX} can be kept here:"
            " keep it with client.scatter",
        )
    return data


def decode_plain(data: bytes) -> Any:
    """Return what `encode_plain` was given, tuples and sets as lists.

    Raises
    ------
    SerializationError
        The bytes are something else.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise SerializationError(what="plain data", type_name="bytes", reason=str(error)) from None


def fit_text(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """Return a text as it can stand in an event: not too long, and without halves of characters."""
    text = text[:length_max]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
