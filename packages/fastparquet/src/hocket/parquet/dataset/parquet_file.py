"""`ParquetFile`: a file or a dataset, opened."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hocket.parquet.dataset.arguments import (
    ARROW_ARGUMENTS,
    FRAME_ARGUMENTS,
    check_opening,
    checked_mask,
    is_flag,
    is_given,
    make_options,
    position_of,
    whole_number,
)
from hocket.parquet.dataset.collection import Collection, open_collection
from hocket.parquet.dataset.data_file import Opener
from hocket.parquet.dataset.divisible import Divisible
from hocket.parquet.dataset.edit.editable import Editable
from hocket.parquet.dataset.progress import ProgressCallback, progress_callback
from hocket.parquet.errors import InvalidOption
from hocket.parquet.options import ReadOptions

if TYPE_CHECKING:
    import pandas as pd

    from hocket.parquet.assemble.arrow_table import ArrowReader, ArrowTable
    from hocket.parquet.assemble.pandas_options import PandasOptions
    from hocket.parquet.crypto import DecryptionKeys
    from hocket.parquet.dataset.chosen import Chosen
    from hocket.parquet.dataset.frame_plan import FramePlan

__all__ = ["ParquetFile"]


class ParquetFile(Divisible, Editable):
    """A Parquet file, or several that make a dataset.

    Opening reads the footer; columns are read when they are asked for. An object can be sliced by
    row groups (``pf[3]``, ``pf[:5]``), pickled, and used by several threads.

    Parameters
    ----------
    fn
        A path or fsspec URL of a file, of a directory (with or without ``_metadata``) or a pattern;
        a list of paths or of opened files; an open binary file; a buffer.
    verify
        Whether to look into every file that ``_metadata`` describes.
    open_with
        A function ``open_with(path, "rb")`` that opens paths.
    root
        The directory of the dataset, where a list of paths does not tell which directories are
        partitions.
    sep
        Not used; fastparquet had it.
    fs
        The fsspec file system that paths belong to.
    pandas_nulls
        Whether integers and booleans with nulls become pandas' nullable types; otherwise they
        become floats with NaN.
    dtypes
        Dtypes that columns shall have, by name.
    decryption
        The keys of encrypted files.
    verify_checksums
        Whether pages are compared with their checksums, where they have some.
    threads
        How many threads may decode at once; one for each processor unless told, or what the
        environment variable ``HOCKET_PARQUET_THREADS`` says.
    memory_limit
        How many bytes may be decoded for a result; the memory of the machine, or of the container,
        unless told.
    storage_options
        What the file system of a URL is made with.
    """

    def __init__(  # noqa: PLR0913 - as many as fastparquet has
        self,
        fn: Any,
        verify: bool = False,  # noqa: FBT001, FBT002  the order of fastparquet's
        open_with: Any = None,
        root: str | bool = False,  # noqa: FBT001, FBT002
        sep: str | None = None,
        fs: Any = None,
        pandas_nulls: bool = True,  # noqa: FBT001, FBT002
        dtypes: dict[str, Any] | None = None,
        *,
        decryption: DecryptionKeys | None = None,
        verify_checksums: bool = True,
        threads: int | None = None,
        memory_limit: int | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        del sep
        check_opening(open_with, fs, storage_options, decryption, dtypes)
        self._options = ReadOptions(verify_checksums, threads, memory_limit)
        self.pandas_nulls = pandas_nulls
        self._dtypes = dict(dtypes or {})
        opener = Opener(fs, open_with, storage_options, decryption)
        base = str(root) if root else None
        if _has_opened(fn):
            every = [
                (each._collection, each._groups)  # noqa: SLF001 - our own
                if isinstance(each, ParquetFile)
                else _whole(open_collection(each, opener, root=base, verify=verify))
                for each in ([fn] if isinstance(fn, ParquetFile) else fn)
            ]
            from hocket.parquet.dataset.combining import combine  # noqa: PLC0415 - rarely needed

            self._collection = combine(*zip(*every, strict=True))
        else:
            self._collection = open_collection(fn, opener, root=base, verify=verify)
        self._groups: tuple[int, ...] = _whole(self._collection)[1]

    # ------------------------------------------------------------------------------- to pandas

    def to_pandas(
        self,
        columns: Sequence[Any] | str | None = None,
        categories: Any = None,
        filters: Any = None,
        index: Any = None,
        row_filter: Any = None,
        dtypes: dict[str, Any] | None = None,
        *,
        progress: bool | ProgressCallback | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Read into a pandas frame.

        Parameters
        ----------
        columns
            Which columns, in this order; all unless told. ``a.b`` is a part of a nested column.
        categories
            Columns that become categoricals; unless told those that were. A mapping is taken for
            its names.
        filters
            A list of tuples ``(column, operator, value)`` that hold together, or a list of such
            lists of which one has to hold. Operators are ``== = != < <= > >= in``, ``not in``,
            ``is null``, ``is not null``, ``~`` (false); but for ``is null``, nulls fulfil nothing.
            Columns of filters need not be among `columns`.
        index
            Name or names of the columns that make the index; False for none; what pandas wrote
            unless told.
        row_filter
            None or True: the result has exactly the rows that `filters` keep. False: whole row
            groups, as far as one of their rows could fulfil the filters. Or an array of booleans,
            one for each row; then there can be no `filters`.
        dtypes
            Dtypes that columns shall have, by name.
        progress
            True for a line of text on standard error, or what is called with a `Progress`.
        **options
            What columns become: see `hocket.parquet.assemble.pandas_options.PandasOptions`.
        """
        return self._read(
            self._choose(filters, row_filter),
            columns,
            categories,
            index,
            dtypes,
            progress=progress,
            **options,
        )

    def iter_row_groups(self, filters: Any = None, **options: Any) -> Iterator[pd.DataFrame]:
        """Read one row group after the other, each into a frame; those without rows are left out.

        Parameters
        ----------
        filters
            As with `to_pandas`.
        **options
            Those of `to_pandas`; an array as `row_filter` is for all row groups together.
        """
        row_filter = options.pop("row_filter", None)
        mask = None if is_flag(row_filter) else checked_mask(row_filter, self._row_count)
        at = 0
        for number in self._groups:
            rows = int(self._collection.rows[number])
            chosen = row_filter if mask is None else mask[at : at + rows]
            frame = self._sliced((number,)).to_pandas(filters=filters, row_filter=chosen, **options)
            if len(frame):
                yield frame
            at += rows

    def head(self, nrows: int = 5, **options: Any) -> pd.DataFrame:
        """Read the first rows, decoding as little as that takes.

        Parameters
        ----------
        nrows
            How many.
        **options
            Those of `to_pandas`; of `filters`, the first rows that fulfil them.
        """
        from hocket.parquet.dataset.head import first_rows  # noqa: PLC0415

        nrows = whole_number("nrows", nrows)
        filters, row_filter = options.pop("filters", None), options.pop("row_filter", None)
        if not is_flag(row_filter):
            raise InvalidOption("head takes no array as row_filter; use to_pandas")

        def choose(group: tuple[int, ...]) -> Chosen:
            return self._sliced(group)._choose(filters, row_filter)  # noqa: SLF001 - our own

        chosen = first_rows(self._groups, nrows, choose)
        return self._read(chosen, **options)

    def count(self, filters: Any = None, row_filter: Any = None) -> int:
        """Return how many rows there are, or how many of them filters keep.

        Parameters
        ----------
        filters, row_filter
            As with `to_pandas`; only the columns of the filters are read, if any.
        """
        if not is_given(filters) and is_flag(row_filter):
            return self._row_count
        return sum(part.count for part in self._choose(filters, row_filter).parts)

    def row_group_numbers(self, filters: Any = None) -> list[int]:
        """Return the numbers of the row groups in which some row could fulfil filters.

        Parameters
        ----------
        filters
            As with `to_pandas`.
        """
        if not is_given(filters):
            return list(range(len(self)))
        from hocket.parquet.dataset.row_selection import choose_groups  # noqa: PLC0415

        kept = choose_groups(self._collection, self._groups, filters)
        return [self._groups.index(number) for number in kept]

    def read_row_group_file(
        self,
        rg: Any,
        columns: Sequence[str] | None = None,
        categories: Any = None,
        index: Any = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Read one row group, given as one of `row_groups` or by its number.

        Parameters
        ----------
        rg
            The row group.
        columns, categories, index
            As with `to_pandas`.
        **options
            More of `to_pandas`.
        """
        group = self[position_of(self.row_groups, rg)]
        return group.to_pandas(columns, categories, index=index, **options)

    def row_group_filename(self, rg: Any) -> str:
        """Return the path of the file that a row group is in.

        Parameters
        ----------
        rg
            One of `row_groups`, or its number.
        """
        number = self._groups[position_of(self.row_groups, rg)]
        return self._collection.location(self._collection.groups[number].file)

    def pre_allocate(
        self,
        size: int,
        columns: Sequence[str] | None = None,
        categories: Any = None,
        index: Any = None,
        dtypes: dict[str, Any] | None = None,
    ) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Return a frame of so many rows with the right dtypes, and its arrays by label.

        Parameters
        ----------
        size
            How many rows.
        columns, categories, index, dtypes
            As with `to_pandas`.
        """
        from hocket.parquet.dataset.allocation import allocated  # noqa: PLC0415

        empty = self._sliced(()).to_pandas(columns, categories, index=index, dtypes=dtypes)
        return allocated(empty, whole_number("size", size))

    @property
    def dtypes(self) -> dict[str, Any]:
        """The dtypes that `to_pandas` gives to columns, by name."""
        from hocket.parquet.dataset.frame_dtypes import dtypes_of  # noqa: PLC0415

        chosen = self._choose(None, None)
        plan = self._frame_plan(self._frame_options(None, None, {}), chosen, None, index=False)
        return dtypes_of(self._collection, chosen.parts, plan)

    # ------------------------------------------------------------------------ to Arrow and NumPy

    def to_arrow(
        self,
        columns: Sequence[Any] | str | None = None,
        filters: Any = None,
        row_filter: Any = None,
        *,
        progress: bool | ProgressCallback | None = None,
        **options: Any,
    ) -> ArrowTable:
        """Read into Arrow data, which pyarrow, polars, pandas and DuckDB take without copies.

        Parameters
        ----------
        columns, filters, row_filter, progress
            As with `to_pandas`.
        **options
            What the data look like: see `hocket.parquet.assemble.arrow_types.ArrowOptions`.
        """
        from hocket.parquet.assemble.arrow_types import ArrowOptions  # noqa: PLC0415
        from hocket.parquet.dataset.arrow_reading import read_arrow  # noqa: PLC0415
        from hocket.parquet.dataset.reading import Reading  # noqa: PLC0415

        chosen = self._choose(filters, row_filter)
        reading = Reading(self._options, progress_callback(progress), chosen.kept)
        return read_arrow(
            self._collection,
            chosen.parts,
            columns,
            make_options(ArrowOptions, options, "to_arrow", ARROW_ARGUMENTS),
            reading,
            may_coarsen="int96_unit" not in options,
        )

    def iter_arrow(
        self,
        columns: Sequence[Any] | str | None = None,
        filters: Any = None,
        row_filter: Any = None,
        **options: Any,
    ) -> ArrowReader:
        """Return Arrow batches that are read as they are asked for, one for each row group.

        Parameters
        ----------
        columns, filters, row_filter, **options
            As with `to_arrow`.
        """
        from hocket.parquet.assemble.arrow_types import ArrowOptions  # noqa: PLC0415
        from hocket.parquet.dataset.arrow_reading import arrow_reader  # noqa: PLC0415
        from hocket.parquet.dataset.reading import Reading  # noqa: PLC0415

        chosen = self._choose(filters, row_filter)
        reading = Reading(self._options, None, chosen.kept)
        return arrow_reader(
            self._collection,
            chosen.parts,
            columns,
            make_options(ArrowOptions, options, "to_arrow", ARROW_ARGUMENTS),
            reading,
        )

    def __arrow_c_schema__(self) -> Any:
        """Return the schema as a capsule; see Arrow's PyCapsule interface."""
        return self.iter_arrow().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        """Return all data as a capsule, read as it is asked for; see Arrow's PyCapsule interface.

        Parameters
        ----------
        requested_schema
            What the consumer would like; it gets the types that there are.
        """
        return self.iter_arrow().__arrow_c_stream__(requested_schema)

    def to_numpy(
        self,
        columns: Sequence[Any] | str | None = None,
        filters: Any = None,
        row_filter: Any = None,
        *,
        progress: bool | ProgressCallback | None = None,
    ) -> dict[Any, np.ndarray[Any, Any]]:
        """Read into NumPy arrays by name; masked ones where nulls have no value of their own.

        Parameters
        ----------
        columns, filters, row_filter, progress
            As with `to_pandas`.
        """
        from hocket.parquet.dataset.array_reading import read_arrays  # noqa: PLC0415
        from hocket.parquet.dataset.reading import Reading  # noqa: PLC0415

        chosen = self._choose(filters, row_filter)
        reading = Reading(self._options, progress_callback(progress), chosen.kept)
        return read_arrays(self._collection, chosen.parts, columns, reading)

    # ------------------------------------------------------------------------------- row groups

    def __getitem__(self, item: int | slice) -> Self:
        if isinstance(item, slice):
            return self._sliced(self._groups[item])
        return self._sliced((self._groups[position_of(self._groups, item)],))

    def _sliced(self, groups: tuple[int, ...]) -> Self:
        other = copy.copy(self)
        other._groups = groups  # noqa: SLF001  one of our own
        return other

    # --------------------------------------------------------------------------------- choosing

    def _choose(self, filters: Any, row_filter: Any) -> Chosen:
        from hocket.parquet.dataset import chosen  # noqa: PLC0415

        collection, groups = self._collection, self._groups
        if not is_flag(row_filter):
            if is_given(filters):
                raise InvalidOption(
                    "filters and an array as row_filter are both given; leave one of them out"
                )
            return chosen.Chosen(chosen.parts_of_mask(collection, groups, row_filter))
        if is_given(filters):
            from hocket.parquet.dataset import row_selection  # noqa: PLC0415

            if row_filter is None or row_filter:
                return row_selection.choose_rows(collection, groups, filters, self._options)
            groups = tuple(row_selection.choose_groups(collection, groups, filters))
        return chosen.Chosen(chosen.whole_parts(collection, groups))

    def _read(
        self,
        chosen: Chosen,
        columns: Sequence[Any] | str | None = None,
        categories: Any = None,
        index: Any = None,
        dtypes: dict[str, Any] | None = None,
        *,
        progress: bool | ProgressCallback | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        from hocket.parquet.dataset.frame_reading import read_frame  # noqa: PLC0415
        from hocket.parquet.dataset.reading import Reading  # noqa: PLC0415

        wanted = self._frame_options(categories, dtypes, options)
        plan = self._frame_plan(wanted, chosen, columns, index)
        reading = Reading(self._options, progress_callback(progress), chosen.kept)
        return read_frame(self._collection, chosen.parts, plan, reading)

    def _frame_options(
        self, categories: Any, dtypes: dict[str, Any] | None, options: dict[str, Any]
    ) -> PandasOptions:
        from hocket.parquet.assemble.pandas_options import PandasOptions  # noqa: PLC0415

        if dtypes is not None and not isinstance(dtypes, Mapping):
            raise InvalidOption(f"dtypes is {dtypes!r}; it has to be a dict")
        given = {
            "pandas_nulls": self.pandas_nulls,
            "dtypes": {**self._dtypes, **(dtypes or {})},
            "categories": categories,
            **options,
        }
        return make_options(PandasOptions, given, "to_pandas", FRAME_ARGUMENTS)

    def _frame_plan(
        self, options: PandasOptions, chosen: Chosen, columns: Any, index: Any
    ) -> FramePlan:
        from hocket.parquet.dataset.frame_plan import plan_frame  # noqa: PLC0415

        return plan_frame(self._collection, options, chosen.parts, columns=columns, index=index)


def _has_opened(fn: Any) -> bool:
    """Tell whether datasets that are open already are among what is to be opened."""
    if isinstance(fn, (list, tuple)):
        return any(isinstance(each, ParquetFile) for each in fn)
    return isinstance(fn, ParquetFile)


def _whole(collection: Collection) -> tuple[Collection, tuple[int, ...]]:
    return collection, tuple(range(len(collection.groups)))
