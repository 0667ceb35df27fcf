"""Writing files: all at once, or bit by bit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.columns import Columns, columns_of
from hocket.parquet.intake.options import IntakeOptions
from hocket.parquet.io.sink_opening import open_sink
from hocket.parquet.records import fields
from hocket.parquet.writing.file_writer import FileWriter
from hocket.parquet.writing.options import WriteOptions, check_names

if TYPE_CHECKING:
    from hocket.parquet.metadata.footer import FileMetadata

__all__ = ["ParquetWriter", "split_options", "write_file"]

_OF_WRITING: Final = frozenset(each.name for each in fields(WriteOptions))
_OF_INTAKE: Final = frozenset(each.name for each in fields(IntakeOptions))
_OF_PLACE: Final = frozenset({"fs", "open_with", "storage_options"})


def split_options(
    options: dict[str, Any],
) -> tuple[WriteOptions, IntakeOptions, dict[str, Any]]:
    """Return options for the file, for what is written to it, and for the place it is in.

    Parameters
    ----------
    options
        All that the caller told.
    """
    check_names(options, _OF_WRITING | _OF_INTAKE | _OF_PLACE)
    file, data, place = (
        {name: value for name, value in options.items() if name in known}
        for known in (_OF_WRITING, _OF_INTAKE, _OF_PLACE)
    )
    return WriteOptions(**file), IntakeOptions(**data), place


class ParquetWriter:
    """A file that is written bit by bit, in memory for about one row group.

    ::

        with hp.ParquetWriter("trips.parquet", compression="zstd") as writer:
            for frame in frames:
                writer.write(frame)

    The file appears when the writer is closed, as a whole; if the ``with`` block raises, what was
    there before stays. What is written first tells which columns there are.

    Parameters
    ----------
    path
        A path, a URL that fsspec knows, or an open binary file object.
    schema
        Data whose columns the file gets, if that should be settled before the first is written;
        its values are not written.
    **options
        Those of `hocket.parquet.write`.
    """

    def __init__(self, path: Any, schema: Any = None, **options: Any) -> None:
        self._options, self._intake, place = split_options(options)
        self._first: Columns | None = None
        self._writer: FileWriter | None = None
        self._metadata: FileMetadata | None = None
        self._is_open = False
        self._row_count = 0
        self._sink = open_sink(path, fsync=self._options.fsync, **place)
        self._is_open = True
        if schema is not None:
            with _Aborting(self):
                self._begin(columns_of(schema, self._intake))

    @property
    def metadata(self) -> FileMetadata | None:
        """What the footer says, once the file is closed."""
        return self._metadata

    def write(self, data: Any) -> None:
        """Write rows.

        Parameters
        ----------
        data
            What `hocket.parquet.write` takes, with the columns that the file has.
        """
        if not self._is_open:
            raise InvalidOption("the writer was closed; open a new one", file=self._sink.name)
        with _Aborting(self):
            columns = columns_of(data, self._intake)
            if self._first is None:
                self._begin(columns)
            elif columns.fields != self._first.fields or columns.types != self._first.types:
                columns = columns.fitted(self._first.fields, self._first.types)
            self._write_batches(columns, keeps=True)

    def _begin(self, columns: Columns) -> None:
        self._first = columns
        self._writer = FileWriter(self._sink, columns.fields, self._options, columns.key_value)

    def _write_batches(self, columns: Columns, *, keeps: bool) -> None:
        assert self._writer is not None
        for batch in columns.batches:
            row_count = batch[0].length if batch else 0
            self._row_count += row_count
            self._writer.write_batch(batch, row_count)
            if keeps:
                self._writer.keep()

    def end_row_group(self) -> None:
        """Let the rows that were written so far end a row group."""
        if self._writer is not None:
            with _Aborting(self):
                self._writer.end_row_group()

    def write_all(self, data: Any) -> None:
        """Write all rows of data that nobody changes before the file is closed."""
        with _Aborting(self):
            columns = columns_of(data, self._intake)
            self._begin(columns)
            self._write_batches(columns, keeps=isinstance(data, Iterator))

    def close(self) -> None:
        """Write the footer, and let the file appear; to close twice is no error."""
        if not self._is_open:
            return
        with _Aborting(self):
            if self._writer is None:
                raise InvalidOption(
                    "nothing was written, so that it is not known which columns the file has; "
                    "write a frame without rows, or pass one as schema",
                    file=self._sink.name,
                )
            assert self._first is not None
            self._first.complete(self._row_count)
            self._metadata = self._writer.finish()
        self._is_open = False

    def abort(self) -> None:
        """Let nothing appear: what was there before stays."""
        self._is_open = False
        self._sink.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if self.__dict__.get("_is_open"):
            warnings.warn(
                f"{self!r} was dropped without close(): the file was not written",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
            self.abort()

    def __repr__(self) -> str:
        state = "open" if self._is_open else "closed"
        return f"<ParquetWriter {self._sink.name!r}, {state}>"


class _Aborting:
    """Throws the file away if something goes wrong inside."""

    def __init__(self, writer: ParquetWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._writer.abort()


def write_file(path: Any, data: Any, **options: Any) -> FileMetadata:
    """Write one file.

    Parameters
    ----------
    path, data, **options
        As with `hocket.parquet.write`.

    Returns
    -------
    FileMetadata
        What the file's footer says.
    """
    writer = ParquetWriter(path, **options)
    writer.write_all(data)
    writer.close()
    assert writer.metadata is not None
    return writer.metadata
