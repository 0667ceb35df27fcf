"""An opened dataset as something that is read piece by piece, by many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hocket.parquet.dataset.handle import Handle

if TYPE_CHECKING:
    from hocket.parquet.dataset.parquet_part import ParquetPart

__all__ = ["Divisible"]


class Divisible(Handle):
    """The part of `hocket.parquet.ParquetFile` that cuts it into pieces."""

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
