"""User objects as bytes: arguments, functions, values, exceptions, and their sizes.

Pickle 5 does it, with out-of-band buffers; cloudpickle what pickle refuses; tblib tracebacks.
"""

from __future__ import annotations

from hocket.protocol.serialize.arguments import ArgumentPickler, load_arguments
from hocket.protocol.serialize.chunks import ApplyToRows, Chunk, TryRows
from hocket.protocol.serialize.exceptions import (
    dump_exception,
    load_exception,
    strip_engine_frames,
    text_of_exception,
)
from hocket.protocol.serialize.functions import (
    FunctionPickle,
    apply,
    dump_function,
    identity,
    label_of,
    load_function,
)
from hocket.protocol.serialize.references import (
    collect_references,
    collecting,
    inputs_of,
    note_reference,
    resolve,
)
from hocket.protocol.serialize.sizes import flat_nbytes_of, nbytes_of
from hocket.protocol.serialize.values import dump_value, load_value, pack, unpack

__all__ = [
    "ApplyToRows",
    "ArgumentPickler",
    "Chunk",
    "FunctionPickle",
    "TryRows",
    "apply",
    "collect_references",
    "collecting",
    "dump_exception",
    "dump_function",
    "dump_value",
    "flat_nbytes_of",
    "identity",
    "inputs_of",
    "label_of",
    "load_arguments",
    "load_exception",
    "load_function",
    "load_value",
    "nbytes_of",
    "note_reference",
    "pack",
    "resolve",
    "strip_engine_frames",
    "text_of_exception",
    "unpack",
]
