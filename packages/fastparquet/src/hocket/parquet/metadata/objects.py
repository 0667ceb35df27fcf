"""The structures of the format as objects of the generated classes, through the thrift package."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from thrift.protocol.TCompactProtocol import (
    TCompactProtocol,
    TCompactProtocolAcceleratedFactory,
)
from thrift.Thrift import TException, TType
from thrift.transport.TTransport import TMemoryBuffer

from hocket.parquet.errors import CorruptFile
from hocket.parquet.kernels.faults import THRIFT_TYPE, error_of
from hocket.parquet.kernels.library import KERNEL, address
from hocket.parquet.kernels.source.thrift import (
    BINARY,
    BYTE,
    FALSE,
    I16,
    I32,
    I64,
    STRUCT,
    TRUE,
)
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.scanning import Fields, padded, read_items, read_struct, scratch

__all__ = ["bytes_of_object", "object_of_bytes"]

#: What malformed bytes can raise in the thrift package, besides its own errors.
_FAULTS: Final = (TException, EOFError, TypeError, ValueError, OverflowError)

#: What the elements of lists may be in the bytes; the format has no lists of other things.
_INTEGERS: Final = {BYTE, I16, I32, I64}
_KINDS: Final = {
    TType.BOOL: {TRUE, FALSE},
    TType.I32: _INTEGERS,
    TType.I64: _INTEGERS,
    TType.STRING: {BINARY},
    TType.STRUCT: {STRUCT},
}


def object_of_bytes(name: str, raw: bytes) -> Any:
    """Return the object that bytes in the compact protocol stand for.

    Parameters
    ----------
    name
        Name of the structure, as ``FileMetaData``.
    raw
        The bytes; what follows the structure is ignored.
    """
    made = getattr(ttypes, name)()
    # The thrift package follows any depth and size: what is not sound does not get there.
    data, stack = padded(raw), scratch()
    end = KERNEL.skip_any(address(data), len(data), 0, STRUCT, address(stack))
    if end < 0:
        raise CorruptFile(f"{error_of(end).reason}: in {name}")
    factory = TCompactProtocolAcceleratedFactory(
        string_length_limit=len(raw), container_length_limit=len(raw)
    )
    try:
        made.read(factory.getProtocol(TMemoryBuffer(raw)))
    except _FAULTS:
        # The fast reader refuses empty lists as some writers write them.
        made = _made(type(made), data, 0)
    _check_required(made)
    return made


def _check_required(made: Any) -> None:
    """Refuse an object that lacks what it, or one inside it, has to have: no reader looks."""
    try:
        made.validate()
    except TException as error:
        raise CorruptFile(f"a {type(made).__name__} is not whole: {error}") from error
    for _, what, name, more, _default in filter(None, type(made).thrift_spec):
        value = getattr(made, name)
        if value is None:
            continue
        if what == TType.STRUCT:
            _check_required(value)
        elif what == TType.LIST and more[0] == TType.STRUCT:
            for each in value:
                _check_required(each)


def _made(kind: Any, data: np.ndarray[Any, Any], at: int) -> Any:
    """Return an object of a generated class, read field by field."""
    declared = [each for each in kind.thrift_spec if each is not None]
    count = max((each[0] for each in declared), default=0) + 1
    fields, _ = read_struct(data, at, count, kind.__name__)
    made = kind()
    for number, what, name, more, _default in declared:
        if fields.has(number):
            setattr(made, name, _field(fields, number, what, more))
    return made


def _field(fields: Fields, number: int, what: int, more: Any) -> Any:
    if what == TType.BOOL:
        return fields.boolean(number)
    if what == TType.DOUBLE:
        return fields.double(number)
    if what == TType.STRING:
        return _text(fields.binary(number) or b"", more)
    if what == TType.STRUCT:
        return _made(more[0], fields.data, fields.struct_at(number) or 0)
    if what == TType.LIST:
        return _elements(fields, number, more)
    return fields.integer(number)


def _elements(fields: Fields, number: int, more: Any) -> list[Any]:
    what, inner, _ = more
    data, name = fields.data, f"{number} of {fields.what}"
    made: list[Any] = []
    for kind, first, second in read_items(data, fields.list_at(number) or 0, name).tolist():
        if kind not in _KINDS[what]:
            raise CorruptFile(f"{error_of(-THRIFT_TYPE).reason}: {name}")
        if what == TType.STRUCT:
            made.append(_made(inner[0], data, first))
        elif what == TType.STRING:
            made.append(_text(data[first : first + second].tobytes(), inner))
        else:
            made.append(bool(first) if what == TType.BOOL else first)
    return made


def _text(raw: bytes, kind: Any) -> str | bytes:
    if kind == "BINARY":
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CorruptFile(f"a string is not UTF-8: {raw[:80]!r}") from error


def bytes_of_object(thing: Any) -> bytes:
    """Return an object of a generated class in the compact protocol.

    Parameters
    ----------
    thing
        The object.
    """
    buffer = TMemoryBuffer()
    thing.write(TCompactProtocol(buffer))
    return bytes(buffer.getvalue())
