"""An opened dataset as something that is handed on: to other processes, and piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from hocket.parquet.dataset.described import Described
from hocket.parquet.errors import InvalidOption
from hocket.parquet.options import ReadOptions

if TYPE_CHECKING:
    from hocket.parquet.dataset.parquet_part import ParquetPart
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

    def parts(
        self,
        columns: Sequence[Any] | str | None = None,
        filters: Any = None,
        *,
        rows: int | None = None,
        nbytes: int | None = None,
        **options: Any,
    ) -> list[ParquetPart]:
        """Return pieces that can be read one by one, anywhere: in threads, processes, on machines.

        Each piece is some row groups with what shall be read of them. It pickles into some hundred
        bytes; a process that gets many of one file reads its footer once. All pieces together are
        what `to_pandas` reads with the same arguments, in the same order and with the same dtypes;
        but categoricals may have only the categories of their piece.

        Parameters
        ----------
        columns, filters
            As with `to_pandas`. Row groups that `filters` rule out are in no piece.
        rows, nbytes
            Row groups are joined as long as a piece has at most so many rows, and so many bytes
            when decompressed; without both, each row group is a piece.
        **options
            More of `to_pandas`, for all pieces; `row_filter` may only be None, True or False.
        """
        from hocket.parquet.dataset.parts import make_parts  # noqa: PLC0415 - needs pandas

        return make_parts(self, columns, filters, rows=rows, nbytes=nbytes, options=options)  # type: ignore[arg-type]

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
