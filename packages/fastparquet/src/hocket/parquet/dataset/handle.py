"""An opened dataset as something that is handed on to other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from hocket.parquet.dataset.described import Described
from hocket.parquet.errors import InvalidOption
from hocket.parquet.options import ReadOptions

if TYPE_CHECKING:
    from hocket.parquet.dataset.references import CollectionReference

__all__ = ["Handle", "reduced"]


class Handle(Described):
    """What `hocket.parquet.ParquetFile` can do before anything is read."""

    _options: ReadOptions
    pandas_nulls: bool
    _dtypes: dict[str, Any]
    #: Of what came from another process: its files, which are opened when they are needed.
    _reference: CollectionReference | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Open the files of what came from another process."""
            if name == "_collection" and "_groups" in self.__dict__:
                if self._reference is None:
                    raise InvalidOption("the file was closed; open it again")
                self._collection = self._reference.opened()
                return self._collection
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def close(self) -> None:
        """Close the files; slices of this object cannot read any more either."""
        if self._reference is not None:
            # Others in this process may be reading from them.
            self._reference = None
            self.__dict__.pop("_collection", None)
            return
        for file in self._collection.files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reduced(handle: Handle) -> tuple[Any, ...]:
    """Return how an opened dataset is made again in another process, by reference if possible.

    Unlike what `pickle` does by itself, this takes no footers along: the files have to be there,
    and the same, in the other process.

    Parameters
    ----------
    handle
        What was opened.
    """
    from hocket.parquet.dataset.references import refer  # noqa: PLC0415 - not needed to read

    state = handle.__dict__.copy()
    collection = state.pop("_collection", None)
    if collection is not None:
        referred = refer(collection, state["_groups"])
        if referred is not None:
            state["_reference"], state["_groups"] = referred
        elif handle._reference is None:  # noqa: SLF001 - our own
            state["_collection"] = collection
    return _made, (type(handle), state)


def _made(kind: type[Handle], state: dict[str, Any]) -> Handle:
    handle = kind.__new__(kind)
    handle.__dict__.update(state)
    return handle
