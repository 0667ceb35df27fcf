"""`SharedWriter`: a dataset that many processes write, and that appears as a whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from hocket.parquet.dataset.data_file import Opener
from hocket.parquet.dataset.edit.dataset_writer import DatasetWriter
from hocket.parquet.dataset.edit.file_edit import FileEdit
from hocket.parquet.dataset.edit.fitting_schema import Fitted, fitted
from hocket.parquet.dataset.edit.folder import Folder
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.dataset.edit.layout import Layout
from hocket.parquet.dataset.edit.transaction import Edit
from hocket.parquet.dataset.edit.writing import (
    check_layout,
    existing_dataset,
    key_values_of,
    keys_of,
    root_of,
    same_directories,
    without_columns,
)
from hocket.parquet.errors import InvalidOption
from hocket.parquet.intake.columns import Columns, columns_of
from hocket.parquet.metadata.footer import FileMetadata
from hocket.parquet.metadata.schema import Schema
from hocket.parquet.records import dataclass
from hocket.parquet.writing.writer import split_options

__all__ = ["SharedWriter", "WrittenPiece"]


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """What one call of `SharedWriter.write` wrote; it is not part of the dataset yet.

    Parameters
    ----------
    files
        Where each file is, the directory it belongs to, and its footer.
    """

    files: tuple[tuple[str, str, FileMetadata], ...] = ()

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return sum(int(footer.row_group_rows.sum()) for _, _, footer in self.files)


class SharedWriter:
    """Writes a dataset from many processes; it appears as a whole, or not at all.

    ::

        with hp.SharedWriter("trips", file_scheme="hive", partition_on="zone") as writer:
            pieces = client.map(writer.write, frames)  # in workers that see the directory
            writer.commit(client.gather(pieces))

    The writer can be pickled, and its copies can write. What they write lies aside until `commit`
    gives it its place; what is not committed when the context ends is removed, so that a task may
    fail, or be run twice, and nothing is left of it.

    Parameters
    ----------
    path
        The directory of the dataset, or its URL; all processes have to see it.
    like
        Data whose columns all pieces get, values aside: a frame without rows, say. Without it, what
        columns there are is told by each piece, and all have to tell the same.
    file_scheme, partition_on, append, write_metadata, **options
        As with `hocket.parquet.write`; `file_scheme` is "hive" or "drill".
    """

    def __init__(
        self,
        path: Any,
        like: Any = None,
        *,
        file_scheme: str = "hive",
        partition_on: Any = (),
        append: bool | str = False,
        write_metadata: bool | None = None,
        **options: Any,
    ) -> None:
        self._layout = Layout(file_scheme, partition_on, append, write_metadata)
        if file_scheme == "simple":
            raise InvalidOption(
                "file_scheme is 'simple', one file, which one process has to write; give 'hive' or "
                "'drill'"
            )
        self._options, self._intake, place = split_options(options)
        opener = Opener(place.get("fs"), storage_options=place.get("storage_options"))
        root, filesystem = root_of(str(path), opener)
        if filesystem is None:
            # The same in processes that have another working directory.
            root = str(Path(root).absolute())
        self._opener = Opener(filesystem)
        self._folder: Folder = folder_at(root, filesystem, fsync=self._options.fsync)
        like = None if like is None else columns_of(like, self._intake)
        self._like = None if like is None else (like.fields, like.types)
        self._key_value = None if like is None else like.key_value
        before = existing_dataset(self._folder, self._opener) if append else None
        if before is not None:
            check_layout(before, self._layout)
        self._schema: Schema | None = None if before is None else before.summary.schema
        self._is_new = before is None
        #: Where pieces are written, once the context is entered.
        self._staging = ""
        self._edit: Edit | None = None
        self._stack = ExitStack()

    def write(self, data: Any) -> WrittenPiece:
        """Write a piece: in this process or, with a copy of the writer, in another.

        Parameters
        ----------
        data
            Whatever `hocket.parquet.write` takes.
        """
        if not self._staging:
            raise InvalidOption("nothing can be written before or behind the writer's context")
        files = FileEdit(_Piece(self._folder, self._staging), self._opener)
        columns = self._columns(data)
        writer, fit = self._writer(files, columns)
        for batch in columns.batches:
            writer.write(fit.arranged(batch), batch[0].length if batch else 0)
        writer.finish()
        return WrittenPiece(tuple(files.additions()))

    def commit(self, pieces: Iterable[WrittenPiece]) -> None:
        """Let what was written become part of the dataset, in the order given.

        Parameters
        ----------
        pieces
            What the calls of `write` returned; what is not among them is left out.
        """
        if self._edit is None:
            raise InvalidOption(
                "a writer can commit where it was opened, in its context, and once; what its "
                "copies in other processes write is handed to it"
            )
        files = FileEdit(self._edit, self._opener)
        for piece in pieces:
            for staged, directory, footer in piece.files:
                files.add(staged, directory, footer)
        if not files.additions() and self._layout.append and not self._is_new:
            self._end()
            return
        write_summary = self._layout.write_metadata
        if write_summary is None and self._is_new:
            write_summary = self._options.encryption is None
        if not files.additions():
            files.template = self._template(files)
            write_summary = write_summary or self._is_new
        files.commit(
            write_summary=write_summary,
            overwritten=same_directories if self._layout.append == "overwrite" else None,
            is_anew=not self._layout.append,
        )
        self._end()

    def _template(self, files: FileEdit) -> FileMetadata:
        if self._like is None:
            raise InvalidOption(
                "no rows were written, so that it is not known which columns the dataset has; tell "
                "by like"
            )
        columns = Columns(*self._like, iter(()), dict(self._key_value or {}))
        return self._writer(files, columns)[0].empty_file()

    def _columns(self, data: Any) -> Columns:
        columns = columns_of(data, self._intake)
        if self._like is None or (columns.fields, columns.types) == self._like:
            return columns
        return columns.fitted(*self._like)

    def _writer(self, files: FileEdit, columns: Columns) -> tuple[DatasetWriter, Fitted]:
        keys = keys_of(columns, self._layout)
        if self._schema is None:
            fit = Fitted(columns.fields, tuple(range(len(columns.fields))))
        else:
            fit = fitted(self._schema, columns.fields, keys.names, self._folder.root)
        own = without_columns(self._options, keys.names)
        pairs = key_values_of(columns, keys.names)
        return DatasetWriter(files, fit.fields, keys, own, pairs), fit

    def __enter__(self) -> Self:
        self._edit = self._stack.enter_context(Edit(self._folder))
        self._staging = self._edit.own_directory
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._edit, self._staging = None, ""
        self._stack.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_edit": None, "_stack": None}

    def __repr__(self) -> str:
        return f"<SharedWriter {self._folder.root!r}>"


class _Piece(Edit):
    """Where one piece is written: beside the others, under names that no other has.

    Parameters
    ----------
    folder
        The dataset's directory.
    staging
        The directory in it for what is not committed.
    """

    def __init__(self, folder: Folder, staging: str) -> None:
        super().__init__(folder)
        self._own = f"{staging}/{secrets.token_hex(8)}"

    def stage(self) -> str:
        """Return the name of a new file."""
        self._count += 1
        return f"{self._own}-{self._count}"
