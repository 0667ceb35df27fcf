"""Labels of pandas' frames: how an index travels when a frame or a series does.

A small frame is mostly labels: to take its two indexes apart and to make them again costs pandas
three quarters of what it takes to move the frame. Numbers become an index without pandas' looking
for their dtype anew, and texts, which are the same for all parts of a frame, are pickled and made
once in each process. pandas is never imported here; without it none of its objects can be there.
"""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from hocket.core.loaded_modules import loaded_module
from hocket.protocol.serialize.extensions import Reducer

__all__ = ["label_reducers"]

_PROTOCOL: Final = 5

#: Kinds of NumPy's dtypes whose arrays are an index as they are.
_NUMBERS: Final = frozenset("iuf")

#: What pandas keeps of an index.
_STATE: Final = frozenset({"data", "name"})

#: So many indexes of texts are remembered on each side; then all are forgotten.
_KNOWN_MAX: Final = 256
#: More texts, and longer pickles, are not remembered.
_TEXTS_COUNT_MAX: Final = 1000
_PICKLE_NBYTES_MAX: Final = 16 * 1024

_NONE: Final[Mapping[type, Reducer]] = {}

#: Made when the first frame is pickled.
_reducers: dict[type, Reducer] = {}

#: Pickles of texts, by the number of the array that they lie in and the name of the index.
_pickled: dict[tuple[int, Any], tuple[weakref.ref[Any], bytes]] = {}
#: Indexes by their pickles.
_unpickled: dict[bytes, Any] = {}


def label_reducers(kind: type) -> Mapping[type, Reducer]:
    """Return how to take the labels apart of an object of a class: none unless it is of pandas."""
    if not kind.__module__.startswith("pandas"):
        return _NONE
    return _reducers or _make_reducers()


def _make_reducers() -> Mapping[type, Reducer]:
    index_class: Any = getattr(loaded_module("pandas"), "Index", None)
    # pandas' own short cut for an array that is an index as it is; not in its documentation.
    if index_class is not None and hasattr(index_class, "_simple_new"):
        _reducers[index_class] = _reduce
    return _reducers


def _reduce(index: Any) -> Any:
    """Take an index apart; one of other things than numbers and texts as pandas does it."""
    reduced = index.__reduce__()
    state = reduced[1][-1]
    values = state["data"] if type(state) is dict and state.keys() == _STATE else None
    if getattr(getattr(values, "dtype", None), "kind", "") in _NUMBERS and _is_array(values):
        return _index_of_numbers, (type(index), values, index.name)
    pickled = _pickled_texts(index)
    return reduced if pickled is None else (_index_of_texts, (pickled,))


def _is_array(values: Any) -> bool:
    kind = type(values)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy"


def _pickled_texts(index: Any) -> bytes | None:
    """Return the pickle of an index of some texts; None if it is no such."""
    array = index.array
    place = id(array), index.name
    known = _pickled.get(place)
    if known is not None and known[0]() is array:
        return known[1]
    if len(index) > _TEXTS_COUNT_MAX or not all(type(label) is str for label in index):
        return None
    try:
        reference = weakref.ref(array)
        data = pickle.dumps(index, _PROTOCOL)
    except Exception:  # noqa: BLE001 - no references to it, or a name that cannot be pickled
        return None
    if len(data) > _PICKLE_NBYTES_MAX:
        return None
    if len(_pickled) >= _KNOWN_MAX:
        _pickled.clear()
    _pickled[place] = reference, data
    return data


def _index_of_numbers(kind: Any, values: Any, name: Any) -> Any:
    make: Callable[[Any, Any], Any] = getattr(kind, "_simple_new", None) or _index_by_pandas(kind)
    return make(values, name)


def _index_by_pandas(kind: Any) -> Callable[[Any, Any], Any]:
    """Return what makes an index where pandas' short cut is not there: in another version of it."""
    return lambda values, name: kind(values, name=name, copy=False)


def _index_of_texts(data: bytes) -> Any:
    index = _unpickled.get(data)
    if index is None:
        index = pickle.loads(data)
        if len(_unpickled) >= _KNOWN_MAX:
            _unpickled.clear()
        _unpickled[data] = index
    # Another object, so that it may be given another name.
    return index.view()
