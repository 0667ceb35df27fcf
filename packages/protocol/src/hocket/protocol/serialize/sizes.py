"""Sizes: how much memory a value takes, quickly and roughly.

Exact for scalars, strings, bytes, and for what numpy, pandas and pyarrow hold in flat memory.
Containers are sampled. The libraries are recognised by the names of their classes, so that none
is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

__all__ = ["flat_nbytes_of", "nbytes_of"]

#: Elements of a container that are looked at.
_SAMPLE_MAX: Final = 32
#: Containers within containers that are looked into.
_DEPTH_MAX: Final = 8
#: Objects that are looked at for one estimate.
_VISITS_MAX: Final = 500
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


class _Walk:
    """How deep an estimate is, and how many objects it may still look at."""

    __slots__ = ("depth", "visits_left")

    def __init__(self) -> None:
        self.depth = 0
        self.visits_left = _VISITS_MAX

    def may_enter(self) -> bool:
        """Whether the content of a container is to be looked at."""
        return self.depth < _DEPTH_MAX and self.visits_left > 0


_Estimator = Callable[[Any, _Walk], int]


def nbytes_of(value: object) -> int:
    """Estimate the memory that a value takes, in bytes.

    Never raises, and never imports anything.
    """
    kind = type(value)
    if kind is int:
        return _getsizeof(value)
    size = _SCALARS.get(kind)
    return _estimate(value, _Walk()) if size is None else size


def flat_nbytes_of(value: object) -> int:
    """Return the size of an array, a table or a buffer, in bytes; 0 of anything else.

    Nothing is searched, so this is quick where `nbytes_of` may not be.
    """
    kind = type(value)
    estimate = _known.get(kind)
    if estimate is None:
        estimate = _remember(kind)
    return _estimate(value, _Walk()) if estimate in _FLAT else 0


def _estimate(value: object, walk: _Walk) -> int:
    kind = type(value)
    walk.visits_left -= 1
    estimate = _known.get(kind)
    if estimate is None:
        estimate = _remember(kind)
    try:
        return int(estimate(value, walk))
    except Exception:  # noqa: BLE001 - an estimate is no reason to fail
        return _UNKNOWN_NBYTES


def _remember(kind: type) -> _Estimator:
    estimate = _find_estimator(kind)
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
        _known.update(_BUILTIN)
    _known[kind] = estimate
    return estimate


def _find_estimator(kind: type) -> _Estimator:
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        estimate = _BY_NAME.get((package, base.__name__))
        if estimate is not None:
            return estimate
        if base in _BUILTIN and base is not object:
            return _BUILTIN[base]
    return _of_object


def _of_plain(value: object, _walk: _Walk) -> int:
    return _getsizeof(value)


def _of_scalar(value: object, _walk: _Walk) -> int:
    return _SCALARS[type(value)]


def _of_sampled(size: int, count: int, sample: Iterable[object], walk: _Walk) -> int:
    """Return a container's own size and its elements', judged by some of them."""
    total = looked = 0
    if walk.may_enter():
        walk.depth += 1
        for element in islice(sample, _SAMPLE_MAX):
            total += _estimate(element, walk)
            looked += 1
            if walk.visits_left <= 0:
                break
        walk.depth -= 1
    return size + (total * count // looked if looked else 0)


def _own_nbytes(value: Any) -> int:
    """Return the size of a container without its elements.

    Of a subclass as well: its own ``__sizeof__`` may count the elements, however long that takes.
    """
    if type(value) not in _BUILTIN:
        for base in (list, tuple, dict, set, frozenset):
            if isinstance(value, base):
                return int(base.__sizeof__(value))
    return _getsizeof(value)


def _of_sequence(value: Any, walk: _Walk) -> int:
    count = len(value)
    # Spread over the whole, as the parts of a list often differ.
    step = -(-count // _SAMPLE_MAX) if count else 1
    return _of_sampled(_own_nbytes(value), count, islice(value, 0, None, step), walk)


def _of_set(value: Any, walk: _Walk) -> int:
    return _of_sampled(_own_nbytes(value), len(value), value, walk)


def _of_dict(value: Any, walk: _Walk) -> int:
    count = len(value)
    keys = _of_sampled(_own_nbytes(value), count, value.keys(), walk)
    return keys + _of_sampled(0, count, value.values(), walk)


def _of_object(value: Any, walk: _Walk) -> int:
    nbytes = getattr(value, "nbytes", None)
    if type(nbytes) is int and nbytes >= 0:
        return nbytes
    size = _getsizeof(value, _UNKNOWN_NBYTES)
    if isinstance(value, type) or not walk.may_enter():
        return size
    walk.depth += 1
    for attribute in islice(_attributes_of(value), _SAMPLE_MAX):
        size += _estimate(attribute, walk)
        if walk.visits_left <= 0:
            break
    walk.depth -= 1
    return size


def _attributes_of(value: object) -> Iterator[object]:
    """Yield what an object keeps in its ``__dict__`` and its slots."""
    attributes = getattr(value, "__dict__", None)
    if type(attributes) is dict:
        yield from list(attributes.values())
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield getattr(value, name, None)


def _of_bytearray(value: bytearray, _walk: _Walk) -> int:
    return _getsizeof(value)


def _of_memoryview(value: memoryview, _walk: _Walk) -> int:
    return value.nbytes


def _of_ndarray(value: Any, walk: _Walk) -> int:
    nbytes = int(value.nbytes)
    if 0 in value.strides:  # broadcast: one element stands for many
        nbytes = int(value.itemsize)
        for length, stride in zip(value.shape, value.strides, strict=True):
            nbytes *= length if stride else min(length, 1)
    if value.dtype.hasobject and value.size:
        flat = value.reshape(-1) if value.flags.c_contiguous else value.flat
        step = -(-int(value.size) // _SAMPLE_MAX)
        return _of_sampled(nbytes, int(value.size), list(flat[::step]), walk)
    return nbytes


def _of_frame(value: Any, walk: _Walk) -> int:
    # What pandas keeps columns in; its own ``memory_usage`` makes a Series of each: 300 us.
    blocks = getattr(getattr(value, "_mgr", None), "blocks", None)
    if blocks is None:
        nbytes = int(value.memory_usage(index=True, deep=False).sum())
        for position, kind in enumerate(value.dtypes):
            if kind == object:  # noqa: E721 - a pandas dtype
                nbytes += _of_objects(value.iloc[:, position], walk)
        return nbytes
    return _estimate(value.index, walk) + sum(_estimate(one.values, walk) for one in blocks)


def _of_series(value: Any, walk: _Walk) -> int:
    return _estimate(value.index, walk) + _of_column(value, walk)


def _of_column(value: Any, walk: _Walk) -> int:
    """Return the size of a column without its index, or of an index."""
    nbytes = int(value.nbytes)
    return nbytes + (_of_objects(value, walk) if value.dtype == object else 0)


def _of_multi_index(value: Any, walk: _Walk) -> int:
    return sum(_estimate(one, walk) for one in (*value.levels, *value.codes))


def _of_objects(column: Any, walk: _Walk) -> int:
    """Return the size of the objects that a pandas column or index only points to."""
    values = column.to_numpy()
    step = -(-len(values) // _SAMPLE_MAX) if len(values) else 1
    return _of_sampled(0, len(values), list(values[::step]), walk)


def _of_nbytes(value: Any, _walk: _Walk) -> int:
    return int(value.nbytes)


def _of_arrow_buffer(value: Any, _walk: _Walk) -> int:
    return int(value.size)


def _of_estimated_size(value: Any, _walk: _Walk) -> int:
    return int(value.estimated_size())


_BUILTIN: Final[dict[type, _Estimator]] = {
    int: _of_plain,
    str: _of_plain,
    bytes: _of_plain,
    bytearray: _of_bytearray,
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
    ("pandas", "Index"): _of_column,
    ("pandas", "MultiIndex"): _of_multi_index,
    ("pandas", "ExtensionArray"): _of_nbytes,
    **{
        ("pyarrow", name): _of_nbytes
        for name in ("Array", "ChunkedArray", "RecordBatch", "Table", "Tensor")
    },
    ("pyarrow", "Buffer"): _of_arrow_buffer,
    # On a device, or on the host as the others.
    ("cupy", "ndarray"): _of_nbytes,
    ("numba", "DeviceNDArray"): _of_nbytes,
    ("torch", "Tensor"): _of_nbytes,
    ("polars", "DataFrame"): _of_estimated_size,
    ("polars", "Series"): _of_estimated_size,
}

#: Of what lies in flat memory, not in objects that would have to be searched.
_FLAT: Final = frozenset({*_BY_NAME.values(), _of_memoryview, _of_bytearray}) - {_of_plain}

_known: dict[type, _Estimator] = dict(_BUILTIN)
