"""What C calls of a structure of Arrow's C interface that Python made.

Whoever releases one may be in any thread, without the interpreter's lock, while an exception is on
its way through C code, or after the interpreter has ended. Python code that ctypes runs as a
callback is in order in none of these cases: it would lose the exception, or crash. And an
interruption from the keyboard can stop Python code before its first line, so that C would take for
the result what lies there. So the lock is taken here, the exception put aside, and an answer laid
down that holds if Python never gives one.

A structure's `private_data` is the address of a block of 64-bit numbers: the address of a table of
functions, room for three, the answer, and the address of an error's words. The table has
``Py_IsInitialized``, ``PyGILState_Ensure``, ``PyErr_Fetch``, ``PyErr_Restore``,
``PyGILState_Release`` and the callbacks of Python.
"""

from __future__ import annotations

from typing import Final

from hocket.parquet.kernels.language import call, fill, inlined, kernel, load_64, store_64

__all__ = [
    "get_last_error",
    "get_next",
    "get_schema",
    "release_array",
    "release_capsule",
    "release_schema",
    "release_stream",
]

# Places in the table.
_IS_INITIALIZED: Final = 0
_ENSURE: Final = 8
_FETCH: Final = 16
_RESTORE: Final = 24
_RELEASE: Final = 32
_RELEASE_SCHEMA: Final = 40
_RELEASE_ARRAY: Final = 48
_RELEASE_STREAM: Final = 56
_RELEASE_CAPSULE: Final = 64
_GET_SCHEMA: Final = 72
_GET_NEXT: Final = 80

# Places in the block.
_ANSWER: Final = 32
_ERROR: Final = 40

#: Where `release` is in the structures; `private_data` follows it.
_IN_SCHEMA: Final = 56
_IN_ARRAY: Final = 64
_IN_STREAM: Final = 24

_SCHEMA_NBYTES: Final = 72
_ARRAY_NBYTES: Final = 80

#: C's number for an error of input or output.
_FAILED: Final = 5


@inlined
def _call_python(block: int, callback: int, first: int, second: int) -> int:
    """Call Python as if nothing had happened before; not if there is no Python any more."""
    table = load_64(block, 0)
    if call(load_64(table, _IS_INITIALIZED), 0, 0, 0) & 0xFFFFFFFF == 0:
        return 0
    lock = call(load_64(table, _ENSURE), 0, 0, 0)
    call(load_64(table, _FETCH), block + 8, block + 16, block + 24)
    kind = load_64(block, 8)
    value = load_64(block, 16)
    trace = load_64(block, 24)
    # The block may be gone afterwards.
    call(load_64(table, callback), first, second, 0)
    call(load_64(table, _RESTORE), kind, value, trace)
    call(load_64(table, _RELEASE), lock, 0, 0)
    return 0


@inlined
def _release(structure: int, at: int, callback: int) -> int:
    if load_64(structure, at) == 0:
        return 0
    _call_python(load_64(structure, at + 8), callback, structure, 0)
    if load_64(structure, at) != 0:
        # It was interrupted before it began; that does not happen twice.
        _call_python(load_64(structure, at + 8), callback, structure, 0)
    # Whatever Python did: consumers count on this.
    store_64(structure, at, 0)
    return 0


@kernel
def release_schema(structure: int) -> int:
    """Release a schema."""
    return _release(structure, _IN_SCHEMA, _RELEASE_SCHEMA)


@kernel
def release_array(structure: int) -> int:
    """Release an array."""
    return _release(structure, _IN_ARRAY, _RELEASE_ARRAY)


@kernel
def release_stream(structure: int) -> int:
    """Release a stream."""
    return _release(structure, _IN_STREAM, _RELEASE_STREAM)


#: In a capsule, after the header that every object has: the address of the structure.
_POINTER: Final = 16
#: After the room for the structure: the address that its `private_data` was.
_AFTER_STRUCTURE: Final = 80


@kernel
def release_capsule(capsule: int) -> int:
    """Drop what is in a capsule that nobody took."""
    structure = load_64(capsule, _POINTER)
    return _call_python(load_64(structure, _AFTER_STRUCTURE), _RELEASE_CAPSULE, capsule, 0)


@inlined
def _get(stream: int, into: int, nbytes: int, callback: int) -> int:
    fill(into, 0, nbytes)
    block = load_64(stream, _IN_STREAM + 8)
    store_64(block, _ANSWER, _FAILED)
    store_64(block, _ERROR, 0)
    _call_python(block, callback, stream, into)
    return load_64(block, _ANSWER)


@kernel
def get_schema(stream: int, into: int) -> int:
    """Write a stream's schema."""
    return _get(stream, into, _SCHEMA_NBYTES, _GET_SCHEMA)


@kernel
def get_next(stream: int, into: int) -> int:
    """Write a stream's next array."""
    return _get(stream, into, _ARRAY_NBYTES, _GET_NEXT)


@kernel
def get_last_error(stream: int) -> int:
    """Return the address of the words of a stream's last error, or 0."""
    return load_64(load_64(stream, _IN_STREAM + 8), _ERROR)
