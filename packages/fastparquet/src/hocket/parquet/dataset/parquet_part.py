"""`ParquetPart`: some row groups of a dataset, with what shall be read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hocket.parquet.dataset.handle import Handle, reduced

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hocket.parquet.assemble.arrow_table import ArrowTable
    from hocket.parquet.dataset.parquet_file import ParquetFile

__all__ = ["ParquetPart"]


class ParquetPart:
    """A piece of a dataset that can be read by itself; `ParquetFile.parts` makes them.

    It pickles into some hundred bytes, for any engine to send it to where it is read::

        frames = client.map(lambda part: part.to_pandas(), file.parts(columns=["zone", "fare"]))

    Parameters
    ----------
    file
        The row groups.
    columns, filters
        What is read of them, as with `ParquetFile.to_pandas`.
    options
        More of its arguments.
    rows
        How many rows the row groups have, whatever the filters keep of them.
    nbytes
        How many bytes the columns take there, decompressed.
    """

    __slots__ = ("_options", "columns", "file", "filters", "nbytes", "rows")

    def __init__(
        self,
        file: ParquetFile,
        columns: Sequence[Any] | None,
        filters: Any,
        options: Mapping[str, Any],
        rows: int,
        nbytes: int,
    ) -> None:
        #: The row groups, opened; in another process when something is first asked of it.
        self.file = file
        self.columns = columns
        self.filters = filters
        self.rows = rows
        self.nbytes = nbytes
        self._options = dict(options)

    @property
    def paths(self) -> list[str]:
        """The files that the row groups are in."""
        return list(dict.fromkeys(map(self.file.row_group_filename, range(len(self.file)))))

    def to_pandas(self, columns: Sequence[Any] | str | None = None, **options: Any) -> pd.DataFrame:
        """Read into a pandas frame.

        Parameters
        ----------
        columns
            Fewer columns than were asked for when the part was made.
        **options
            Those of `ParquetFile.to_pandas`, in place of what was said when the part was made.
        """
        chosen = self.columns if columns is None else columns
        told = {"filters": self.filters, **self._options, **options}
        return self.file.to_pandas(chosen, **told)

    def empty_frame(self, columns: Sequence[Any] | str | None = None) -> pd.DataFrame:
        """Return a frame without rows that has the columns and dtypes of `to_pandas`.

        Parameters
        ----------
        columns
            As with `to_pandas`.
        """
        chosen = self.columns if columns is None else columns
        return self.file[:0].to_pandas(chosen, **self._options)

    def bounds(self, column: str) -> tuple[Any, Any] | None:
        """Return bounds of a column's values, as statistics have them.

        Parameters
        ----------
        column
            Its name; one without lists or structs.

        Returns
        -------
        tuple or None
            None if statistics do not tell, or if there are nulls.
        """
        from hocket.parquet.dataset.part_bounds import bounds_of_groups  # noqa: PLC0415

        return bounds_of_groups(self.file._collection, self.file._groups, column)  # noqa: SLF001

    def to_arrow(self, columns: Sequence[Any] | str | None = None, **options: Any) -> ArrowTable:
        """Read into Arrow data; see `ParquetFile.to_arrow`.

        Parameters
        ----------
        columns
            Fewer columns than were asked for when the part was made.
        **options
            Those of `ParquetFile.to_arrow`.
        """
        chosen = self.columns if columns is None else columns
        return self.file.to_arrow(chosen, **{**self._filtering(), **options})

    def to_numpy(
        self, columns: Sequence[Any] | str | None = None
    ) -> dict[Any, np.ndarray[Any, Any]]:
        """Read into NumPy arrays by name; see `ParquetFile.to_numpy`.

        Parameters
        ----------
        columns
            Fewer columns than were asked for when the part was made.
        """
        chosen = self.columns if columns is None else columns
        return self.file.to_numpy(chosen, **self._filtering())

    def count(self) -> int:
        """Return how many rows the filters keep."""
        return self.file.count(**self._filtering())

    def _filtering(self) -> dict[str, Any]:
        return {"filters": self.filters, "row_filter": self._options.get("row_filter")}

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Return the data as a capsule; see Arrow's PyCapsule interface.

        Parameters
        ----------
        requested_schema
            What the consumer would like; it gets the types that there are.
        """
        reader = self.file.iter_arrow(self.columns, **self._filtering())
        return reader.__arrow_c_stream__(requested_schema)

    def __dask_tokenize__(self) -> Any:
        """Return what tells the part from others; dask names its tasks by it."""
        return type(self).__qualname__, self.__reduce__()[1]

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (
            reduced(self.file),
            self.columns,
            self.filters,
            self._options,
            self.rows,
            self.nbytes,
        )

    def __repr__(self) -> str:
        return (
            f"<ParquetPart: {self.rows:,} rows in {len(self.file):,} row groups, "
            f"{self.nbytes:,} bytes>"
        )


def _made(file: tuple[Any, ...], *told: Any) -> ParquetPart:
    make, arguments = file
    opened: Handle = make(*arguments)
    return ParquetPart(opened, *told)  # type: ignore[arg-type]
