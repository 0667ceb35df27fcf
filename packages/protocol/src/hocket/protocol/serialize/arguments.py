"""A task's arguments: pickled in one piece, with the keys that they refer to, and unpickled."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

from hocket.core.errors import OtherCluster, SerializationError
from hocket.protocol.serialize.extensions import Reducer, extension_reducers
from hocket.protocol.serialize.pickling import (
    MAIN,
    PLAIN,
    PROTOCOL,
    dump_by_value,
    dump_plainly,
    goes_by_value,
    reason_of,
)
from hocket.protocol.serialize.references import Owner, References, collector, inputs_of

__all__ = ["ArgumentPickler", "load_arguments"]

_dumps = pickle.dumps
_loads = pickle.loads
_begin = collector.set
_end = collector.reset


class ArgumentPickler:
    """Pickles the arguments of tasks. One thread at a time; cheap to make.

    Parameters
    ----------
    extra
        How to take apart objects of these classes, beside what they and `copyreg` know.
    owner
        On whose behalf it pickles, so that futures of other clusters are refused; None: any will
        do.

    Attributes
    ----------
    guests
        What keeps the keys in the last `dumps` that are another owner's.
    """

    __slots__ = (
        "_by_value",
        "_file",
        "_keys",
        "_owner",
        "_pickler",
        "_reducers",
        "guests",
        "references",
    )

    #: Keys of the futures met in the last `dumps`; each once, in the order met.
    references: list[str]

    def __init__(
        self,
        extra: Mapping[type, Reducer] | None = None,
        owner: Owner | None = None,
    ) -> None:
        self.references = []
        self.guests: list[Any] = []
        self._owner = owner
        #: Those of the present `dumps`.
        self._keys: References | None = None
        self._by_value = goes_by_value()
        self._reducers = extra
        self._file = io.BytesIO()
        self._pickler: Any = None
        if extra:
            self._pickler = pickle.Pickler(self._file, PROTOCOL)
            self._pickler.dispatch_table = {
                **copyreg.dispatch_table,
                **extension_reducers(),
                **extra,
            }

    def dumps(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Pickle ``(args, kwargs)`` in one piece.

        Raises
        ------
        SerializationError
            An argument cannot be pickled; the error names it.
        OtherCluster
            A future in there is of another cluster.
        """
        if not kwargs:
            for value in args:
                if type(value) not in PLAIN:
                    break
            else:
                # Nothing in there can hold a future, or belong to ``__main__``.
                if self.references:
                    self.references = []
                    self.guests = []
                return _dumps((args, kwargs), PROTOCOL)
        return self._dump_any(args, kwargs)

    def _dump_any(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        keys = self._keys
        if keys is None:
            keys = self._keys = References(self._owner)
        else:
            keys.begin()
        token = _begin(keys)
        try:
            if self._pickler is None:
                data = dump_plainly((args, kwargs))
            else:
                data = self._dump_extra((args, kwargs))
            if self._by_value or data.find(MAIN) >= 0:
                keys.begin()
                data = dump_by_value((args, kwargs), reducers=self._reducers)
        except Exception:  # noqa: BLE001 - users' reducers may raise anything
            keys.begin()
            data = self._dump_refused(args, kwargs)
        finally:
            _end(token)
        self.references = list(dict.fromkeys(keys)) if keys else []
        self.guests = keys.guests
        return data

    def _dump_extra(self, value: object) -> bytes:
        file = self._file
        file.seek(0)
        file.truncate()
        self._pickler.clear_memo()
        self._pickler.dump(value)
        return file.getvalue()

    def _dump_refused(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        try:
            return dump_by_value((args, kwargs), reducers=self._reducers)
        except OtherCluster:
            raise
        except Exception as error:
            what, type_name, reason = self._find_culprit(args, kwargs, error)
            failed = SerializationError(what=what, type_name=type_name, reason=reason)
            raise failed from error

    def _find_culprit(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
    ) -> tuple[str, str, str]:
        for name, value in _named(args, kwargs):
            try:
                dump_by_value(value, reducers=self._reducers)
            except Exception as its_error:  # noqa: BLE001 - as above
                return name, type(value).__qualname__, reason_of(its_error)
        # Each alone can be pickled: they fail together only.
        return "the arguments", "tuple", reason_of(error)


def _named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for number, value in enumerate(args, start=1):
        yield f"argument {number}", value
    for name, value in kwargs.items():
        yield f"argument {name!r}", value


def load_arguments(
    payload: bytes, inputs: Mapping[str, object] | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Unpickle ``(args, kwargs)``, with the task's inputs in the place of references to them.

    Parameters
    ----------
    payload
        What `ArgumentPickler.dumps` returned.
    inputs
        The values of the keys that it noted; may be left out if there were none.

    Raises
    ------
    SerializationError
        The arguments cannot be unpickled here, say because a module is missing.
    """
    try:
        if inputs:
            with inputs_of(inputs):
                args, kwargs = _loads(payload)
        else:
            args, kwargs = _loads(payload)
    except Exception as error:
        raise SerializationError(
            what="the arguments", type_name="bytes", reason=reason_of(error)
        ) from error
    return args, kwargs
