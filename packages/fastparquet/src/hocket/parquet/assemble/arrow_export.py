"""Arrow's C data and stream interfaces, with ctypes: what other libraries take without copies.

A consumer gets structures of addresses and callbacks, may move them elsewhere, and releases them
when it likes, from any thread. So nothing hangs on where a structure lies: by its `private_data`
the callbacks, which live as long as the process, find what it keeps alive.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Any, Final, Self

from hocket.parquet.arrays.arrow_interface import (
    DICTIONARY_ORDERED,
    NULLABLE,
    ArrayStructure,
    SchemaStructure,
    StreamStructure,
)
from hocket.parquet.assemble.arrow_arrays import ArrowArray
from hocket.parquet.assemble.arrow_callbacks import ANSWER, ERROR, Callbacks
from hocket.parquet.assemble.arrow_types import ArrowField, ArrowSchema
from hocket.parquet.kernels.library import address

__all__ = ["array_capsules", "live_exports", "schema_capsule", "stream_capsule"]

_ERROR_INPUT_OUTPUT: Final = 5

_Pointer = ctypes.c_void_p


#: What each exported structure keeps alive, by its `private_data`.
_KEPT: Final[dict[int, Any]] = {}


def live_exports() -> int:
    """Return how many exported structures their consumers have not released."""
    return len(_KEPT)


class _Making:
    """Structures that are being made; if that fails nothing of them is kept."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def keep(self, what: Any) -> int:
        """Keep something alive, and return what a structure has as its `private_data`."""
        block = _callbacks().block()
        number = ctypes.addressof(block)
        self._numbers.append(number)
        _KEPT[number] = (block, what)
        return number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for number in self._numbers:
                _KEPT.pop(number, None)


def _text(value: bytes, kept: list[Any]) -> int | None:
    """Return the address of bytes with a 0 after them."""
    kept.append(value)
    return ctypes.cast(ctypes.c_char_p(value), _Pointer).value


def _encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "backslashreplace")


def _encoded_metadata(metadata: Mapping[str, str] | Mapping[str, str | bytes]) -> bytes:
    parts = [struct.pack("=i", len(metadata))]
    for pair in metadata.items():
        for each in map(_encoded, pair):
            parts += (struct.pack("=i", len(each)), each)
    return b"".join(parts)


def _fill_schema(
    into: SchemaStructure,
    field: ArrowField,
    metadata: Mapping[str, str] | Mapping[str, str | bytes],
    making: _Making,
) -> None:
    kept: list[Any] = []
    into.format = _text(field.format.encode(), kept)
    into.name = _text(_encoded(field.name).replace(b"\0", rb"\x00"), kept)
    into.metadata = _text(_encoded_metadata(metadata), kept) if metadata else None
    into.flags = NULLABLE * field.nullable + DICTIONARY_ORDERED * field.is_ordered
    into.n_children = len(field.children)
    into.children, children = _structures(SchemaStructure, len(field.children), kept)
    for each, child in zip(children, field.children, strict=True):
        _fill_schema(each, child, child.metadata, making)
    into.dictionary = None
    if field.dictionary is not None:
        into.dictionary, (values,) = _one(SchemaStructure, kept)
        _fill_schema(values, field.dictionary, {}, making)
    into.private_data = making.keep(kept)
    into.release = _callbacks()["release_schema"]


def _fill_array(into: ArrayStructure, array: ArrowArray, making: _Making) -> None:
    kept: list[Any] = [array.buffers]
    into.length = array.length
    into.null_count = array.null_count
    into.offset = 0
    into.n_buffers = len(array.buffers)
    buffers = (_Pointer * max(1, len(array.buffers)))()
    for index, buffer in enumerate(array.buffers):
        buffers[index] = None if buffer is None else address(buffer)
    kept.append(buffers)
    into.buffers = ctypes.addressof(buffers)
    into.n_children = len(array.children)
    into.children, children = _structures(ArrayStructure, len(array.children), kept)
    for each, child in zip(children, array.children, strict=True):
        _fill_array(each, child, making)
    into.dictionary = None
    if array.dictionary is not None:
        into.dictionary, (values,) = _one(ArrayStructure, kept)
        _fill_array(values, array.dictionary, making)
    into.private_data = making.keep(kept)
    into.release = _callbacks()["release_array"]


def _structures(kind: type[Any], count: int, kept: list[Any]) -> tuple[int | None, list[Any]]:
    """Return the address of an array of pointers to new structures, and the structures."""
    if not count:
        return None, []
    structures = [kind() for _ in range(count)]
    pointers = (_Pointer * count)(*(ctypes.addressof(each) for each in structures))
    kept += (structures, pointers)
    return ctypes.addressof(pointers), structures


def _one(kind: type[Any], kept: list[Any]) -> tuple[int, list[Any]]:
    made = kind()
    kept.append(made)
    return ctypes.addressof(made), [made]


# ----------------------------------------------------------------------------------- callbacks


def _released(
    at: int, kind: type[Any], kept: dict[int, Any] = _KEPT, pointers: Any = _Pointer
) -> None:
    """Release a schema or an array, and those below it that nobody moved away."""
    # What holds the structures that are still to be looked at.
    dropped = []
    waiting = [at]
    while waiting:
        structure = kind.from_address(waiting.pop())
        if structure.release:
            if structure.dictionary:
                waiting.append(structure.dictionary)
            if structure.n_children:
                waiting += (pointers * structure.n_children).from_address(structure.children)
            structure.release = None
            dropped.append(kept.pop(structure.private_data, None))


# When these are called all names of this module may have been cleared: what they use they hold.


def _release_schema(at: int, released: Any = _released, kind: Any = SchemaStructure) -> None:
    released(at, kind)


def _release_array(at: int, released: Any = _released, kind: Any = ArrayStructure) -> None:
    released(at, kind)


def _release_stream(at: int, kind: Any = StreamStructure, kept: dict[int, Any] = _KEPT) -> None:
    structure = kind.from_address(at)
    if structure.release:
        structure.release = None
        kept.pop(structure.private_data, None)


class _StreamState:
    """What a stream has still to give."""

    def __init__(self, schema: ArrowSchema, batches: Iterable[ArrowArray]) -> None:
        self.schema = schema
        self.batches: Iterator[ArrowArray] = iter(batches)
        self.lock = Lock()
        self.error: Any = None


def _answered(at: int, act: Callable[[_StreamState], None]) -> int:
    """Do something with a stream; return 0, or C's number of an error whose words are kept."""
    block, state = _KEPT[StreamStructure.from_address(at).private_data]
    answer = 0
    try:
        with state.lock:
            act(state)
    except BaseException as failure:  # noqa: BLE001
        # An interruption, too: it cannot pass through C, and the consumer stops all the same.
        words = f"{type(failure).__name__}: {failure}".encode("utf-8", "backslashreplace")
        state.error = ctypes.create_string_buffer(words.replace(b"\0", rb"\x00"))
        block[ERROR] = ctypes.addressof(state.error)
        answer = _ERROR_INPUT_OUTPUT
    block[ANSWER] = answer
    return answer


def _get_schema(at: int, into: int) -> int:
    def give(state: _StreamState) -> None:
        with _Making() as making:
            _fill_root(SchemaStructure.from_address(into), state.schema, making)

    return _answered(at, give)


def _fill_root(into: SchemaStructure, schema: ArrowSchema, making: _Making) -> None:
    root = ArrowField("", "+s", nullable=False, children=schema.fields)
    _fill_schema(into, root, schema.metadata, making)


def _get_next(at: int, into: int) -> int:
    def give(state: _StreamState) -> None:
        ctypes.memset(into, 0, ctypes.sizeof(ArrayStructure))
        batch = next(state.batches, None)
        if batch is not None:
            with _Making() as making:
                _fill_array(ArrayStructure.from_address(into), batch, making)

    return _answered(at, give)


# ------------------------------------------------------------------------------------ capsules


class _Boxed(ctypes.Structure):
    """What is in a capsule: a structure, and again its `private_data`, for when it is gone."""

    _fields_ = [("room", ctypes.c_int64 * 10), ("block", _Pointer)]


_new_capsule: Final = ctypes.pythonapi["PyCapsule_New"]
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [_Pointer, ctypes.c_char_p, _Pointer]

#: The structure in each capsule, and what it lies in, by the capsule's address.
_IN_CAPSULES: Final[dict[int, Any]] = {}


def _release_capsule(
    at: int, inside: dict[int, Any] = _IN_CAPSULES, kept: dict[int, Any] = _KEPT
) -> None:
    structure, box, release = inside.pop(at)
    if structure.release:
        release(ctypes.addressof(structure))
    kept.pop(box.block, None)


#: What C calls, in Python.
_IN_PYTHON: Final[Mapping[str, Callable[..., Any]]] = {
    "release_schema": _release_schema,
    "release_array": _release_array,
    "release_stream": _release_stream,
    "release_capsule": _release_capsule,
    "get_schema": _get_schema,
    "get_next": _get_next,
}


_MADE: Final[list[Callbacks]] = []


def _callbacks() -> Callbacks:
    if not _MADE or _MADE[-1].is_outdated:
        # Those that were made before stay: structures may still have their addresses.
        _MADE.append(Callbacks(_IN_PYTHON))
    return _MADE[-1]


def _capsule(
    kind: type[Any],
    name: bytes,
    release: Callable[[int], None],
    fill: Callable[[Any, _Making], None],
) -> Any:
    """Return a new capsule with a structure that is filled."""
    box = _Boxed()
    structure = kind.from_buffer(box)
    with _Making() as making:
        # Released after the structure's own, by the capsule's end alone.
        box.block = making.keep(None)
        fill(structure, making)
        at = ctypes.addressof(box)
        capsule = _new_capsule(at, name, _callbacks()["release_capsule"])
        _IN_CAPSULES[id(capsule)] = (structure, box, release)
        return capsule


def schema_capsule(schema: ArrowSchema) -> Any:
    """Return a schema as the capsule that ``__arrow_c_schema__`` has to return."""
    return _capsule(
        SchemaStructure,
        b"arrow_schema",
        _release_schema,
        lambda structure, making: _fill_root(structure, schema, making),
    )


def array_capsules(schema: ArrowSchema, batch: ArrowArray) -> tuple[Any, Any]:
    """Return a schema and one batch of it as ``__arrow_c_array__`` has to return them."""
    array = _capsule(
        ArrayStructure,
        b"arrow_array",
        _release_array,
        lambda structure, making: _fill_array(structure, batch, making),
    )
    return schema_capsule(schema), array


def stream_capsule(schema: ArrowSchema, batches: Iterable[ArrowArray]) -> Any:
    """Return batches as the capsule that ``__arrow_c_stream__`` has to return.

    Parameters
    ----------
    schema
        What the batches are.
    batches
        Arrays of structs of the schema's fields. They are taken one by one, as the consumer asks
        for them, in whatever thread it asks; an error becomes the consumer's. Where no kernels are
        compiled they are all taken now: an error could be lost later (see `arrow_callbacks`).
    """
    if not _callbacks().is_compiled:
        batches = list(batches)

    def fill(structure: Any, making: _Making) -> None:
        callbacks = _callbacks()
        structure.get_schema = callbacks["get_schema"]
        structure.get_next = callbacks["get_next"]
        structure.get_last_error = callbacks["get_last_error"]
        structure.private_data = making.keep(_StreamState(schema, batches))
        structure.release = callbacks["release_stream"]

    return _capsule(StreamStructure, b"arrow_array_stream", _release_stream, fill)
