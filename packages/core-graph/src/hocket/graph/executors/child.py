"""The other end of the process executor: receives tasks, runs them, sends results."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

from hocket.core.errors import SerializationError
from hocket.graph.executors.exceptions import pack_error
from hocket.graph.executors.wire import receive, send
from hocket.graph.keys import Key, key_text
from hocket.graph.task import call

__all__ = ["main"]


def main(descriptor: int) -> None:
    """Run tasks until the other side closes the connection.

    Parameters
    ----------
    descriptor
        The file descriptor of our end of the socket pair.
    """
    functions: dict[int, Callable[..., Any]] = {}
    with Connection(descriptor) as connection:
        while _serve_one(connection, functions):
            pass


def _serve_one(connection: Connection, functions: dict[int, Callable[..., Any]]) -> bool:
    """Run one task; false when there will be no more."""
    try:
        (key, function_id, input_keys), blobs = receive(connection)
    except (EOFError, OSError):
        return False
    try:
        failed, blob = False, _result(key, function_id, input_keys, blobs, functions)
    except BaseException as error:  # noqa: BLE001 - the caller's process raises it
        failed, blob = True, pack_error(key, error)
    try:
        send(connection, failed, [blob])
    except OSError:
        return False
    return True


def _result(
    key: str,
    function_id: int | None,
    input_keys: list[Key],
    blobs: list[bytes | None],
    functions: dict[int, Callable[..., Any]],
) -> bytes:
    function_blob, arguments_blob, *input_blobs = blobs
    if function_blob is not None:
        function = _loaded(f"the function of task {key!r}", function_blob)
        if function_id is not None:
            functions[function_id] = function
    else:
        assert function_id is not None
        function = functions[function_id]
    args, kwargs = _loaded(f"the arguments of task {key!r}", arguments_blob)
    values = {
        name: _loaded(f"the value of {key_text(name)!r}", blob)
        for name, blob in zip(input_keys, input_blobs, strict=True)
    }
    del blobs, arguments_blob, input_blobs
    value = call(function, args, kwargs, values)
    del args, kwargs, values
    try:
        return cloudpickle.dumps(value)  # type: ignore[no-any-return]
    except Exception as error:
        raise SerializationError(
            what=f"the result of task {key!r}",
            type_name=type(value).__name__,
            reason=f"{type(error).__name__}: {error}",
        ) from error


def _loaded(what: str, blob: bytes | None) -> Any:
    assert blob is not None
    try:
        return pickle.loads(blob)
    except Exception as error:
        raise SerializationError(
            what=what, type_name="unknown", reason=f"{type(error).__name__}: {error}"
        ) from error
