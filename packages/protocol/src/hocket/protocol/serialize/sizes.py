"""Sizes: how much memory a value takes, quickly and roughly.

Exact for scalars, strings, bytes, and for what numpy, pandas and pyarrow hold in flat memory.
Containers are sampled. The libraries are recognised by the names of their classes, so that none
is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

__all__ = ["nbytes_of"]

#: Elements of a container that are looked at.
_SAMPLE_MAX: Final = 32
#: Containers within containers that are looked into.
_DEPTH_MAX: Final = 8
#: What is assumed of an object about which nothing can be learnt.
_UNKNOWN_NBYTES: Final = 64
#: Classes whose estimator is remembered; all are forgotten when there are more.
_KNOWN_MAX: Final = 4096

_getsizeof = sys.getsizeof

_SCALARS: Final = {
    bool: _getsizeof(True),  # noqa: FBT003
    float: _getsizeof(0.0),
    complex: _getsizeof(0j),
    type(None): _getsizeof(None),
}

_Estimator = Callable[[Any, int], int]


def nbytes_of(value: object) -> int:
    """Estimate the memory that a value takes, in bytes.

    Never raises, and never imports anything.
    """
    kind = type(value)
    if kind is int:
        return _getsizeof(value)
    size = _SCALARS.get(kind)
    return _estimate(value, 0) if size is None else size


def _estimate(value: object, depth: int) -> int:
    kind = type(value)
    estimate = _known.get(kind)
    if estimate is None:
        estimate = _find_estimator(kind)
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
            _known.update(_BUILTIN)
        _known[kind] = estimate
    try:
        return int(estimate(value, depth))
    except Exception:  # noqa: BLE001 - an estimate is no reason to fail
        return _UNKNOWN_NBYTES


def _find_estimator(kind: type) -> _Estimator:
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        estimate = _BY_NAME.get((package, base.__name__))
        if estimate is not None:
            return estimate
        if base in _BUILTIN and base is not object:
            return _BUILTIN[base]
    return _of_object


def _of_plain(value: object, _depth: int) -> int:
    return _getsizeof(value)


def _of_scalar(value: object, _depth: int) -> int:
    return _SCALARS[type(value)]


def _of_sampled(size: int, count: int, sample: Iterable[object], depth: int) -> int:
    """Return a container's own size and its elements', judged by some of them."""
    if depth >= _DEPTH_MAX:
        return size
    total = looked = 0
    for element in islice(sample, _SAMPLE_MAX):
        total += _estimate(element, depth + 1)
        looked += 1
    return size + (total * count // looked if looked else 0)


def _of_sequence(value: Any, depth: int) -> int:
    count = len(value)
    # Spread over the whole, as the parts of a list often differ.
    step = -(-count // _SAMPLE_MAX) if count else 1
    return _of_sampled(_getsizeof(value), count, islice(value, 0, None, step), depth)


def _of_set(value: Any, depth: int) -> int:
    return _of_sampled(_getsizeof(value), len(value), value, depth)


def _of_dict(value: Any, depth: int) -> int:
    count = len(value)
    keys = _of_sampled(_getsizeof(value), count, value.keys(), depth)
    return keys + _of_sampled(0, count, value.values(), depth)


def _of_object(value: Any, depth: int) -> int:
    nbytes = getattr(value, "nbytes", None)
    if type(nbytes) is int and nbytes >= 0:
        return nbytes
    size = _getsizeof(value, _UNKNOWN_NBYTES)
    if isinstance(value, type) or depth >= _DEPTH_MAX:
        return size
    attributes = getattr(value, "__dict__", None)
    if type(attributes) is dict:
        for attribute in islice(attributes.values(), _SAMPLE_MAX):
            size += _estimate(attribute, depth + 1)
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                size += _estimate(getattr(value, name, None), depth + 1)
    return size


def _of_memoryview(value: memoryview, _depth: int) -> int:
    return value.nbytes


def _of_ndarray(value: Any, depth: int) -> int:
    nbytes = int(value.nbytes)
    if 0 in value.strides:  # broadcast: one element stands for many
        nbytes = int(value.itemsize)
        for length, stride in zip(value.shape, value.strides, strict=True):
            nbytes *= length if stride else min(length, 1)
    if value.dtype.hasobject and value.size:
        flat = value.reshape(-1) if value.flags.c_contiguous else value.flat
        step = -(-int(value.size) // _SAMPLE_MAX)
        return _of_sampled(nbytes, int(value.size), list(flat[::step]), depth)
    return nbytes


def _of_frame(value: Any, depth: int) -> int:
    nbytes = int(value.memory_usage(index=True, deep=False).sum())
    for position, kind in enumerate(value.dtypes):
        if kind == object:  # noqa: E721 - a pandas dtype
            nbytes += _of_objects(value.iloc[:, position], depth)
    return nbytes


def _of_series(value: Any, depth: int) -> int:
    nbytes = int(value.memory_usage(deep=False))
    return nbytes + (_of_objects(value, depth) if value.dtype == object else 0)


def _of_objects(column: Any, depth: int) -> int:
    """Return the size of the objects that a pandas column or index only points to."""
    values = column.to_numpy()
    step = -(-len(values) // _SAMPLE_MAX) if len(values) else 1
    return _of_sampled(0, len(values), list(values[::step]), depth)


def _of_nbytes(value: Any, _depth: int) -> int:
    return int(value.nbytes)


def _of_arrow_buffer(value: Any, _depth: int) -> int:
    return int(value.size)


def _of_estimated_size(value: Any, _depth: int) -> int:
    return int(value.estimated_size())


_BUILTIN: Final[dict[type, _Estimator]] = {
    int: _of_plain,
    str: _of_plain,
    bytes: _of_plain,
    bytearray: _of_plain,
    range: _of_plain,
    **dict.fromkeys(_SCALARS, _of_scalar),
    memoryview: _of_memoryview,
    list: _of_sequence,
    tuple: _of_sequence,
    set: _of_set,
    frozenset: _of_set,
    dict: _of_dict,
}

#: Per top package and class.
_BY_NAME: Final[dict[tuple[str, str], _Estimator]] = {
    ("numpy", "ndarray"): _of_ndarray,
    ("numpy", "generic"): _of_plain,
    ("pandas", "DataFrame"): _of_frame,
    ("pandas", "Series"): _of_series,
    ("pandas", "Index"): _of_series,
    **{
        ("pyarrow", name): _of_nbytes
        for name in ("Array", "ChunkedArray", "RecordBatch", "Table", "Tensor")
    },
    ("pyarrow", "Buffer"): _of_arrow_buffer,
    ("polars", "DataFrame"): _of_estimated_size,
    ("polars", "Series"): _of_estimated_size,
}

_known: dict[type, _Estimator] = dict(_BUILTIN)
