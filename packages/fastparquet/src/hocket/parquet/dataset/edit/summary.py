"""The summary of a dataset, ``_metadata``: the row groups of all its files, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hocket.parquet.dataset.data_file import DataFile
from hocket.parquet.errors import SchemaMismatch, UnsupportedFeature
from hocket.parquet.metadata.footer import FileMetadata, parse_footer
from hocket.parquet.metadata.rewriting import file_of_footer, footer_of_parts, row_group_parts
from hocket.parquet.metadata.scanning import padded
from hocket.parquet.records import dataclass, field

__all__ = ["FileChanges", "Summary", "check_describable", "check_mergeable"]

SortKey = Callable[[Any], Any]


@dataclass(slots=True)
class FileChanges:
    """What becomes of the data files of a dataset.

    Parameters
    ----------
    added
        Footers of new files by their names, in order.
    replaced
        Footers of files that have the names of older ones.
    removed
        Names of files that go.
    """

    added: dict[str, FileMetadata] = field(default_factory=dict)
    replaced: dict[str, FileMetadata] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)


class Summary:
    """Row groups of files, to be written as one footer.

    Parameters
    ----------
    base
        The footer that tells all but the row groups.
    """

    def __init__(self, base: FileMetadata) -> None:
        #: The footer that tells all else.
        self.base = base
        self._parts: list[bytes] = []
        self._rows = 0

    def add(self, metadata: FileMetadata, row_groups: Iterable[int], name: str) -> None:
        """Add row groups of one file.

        Parameters
        ----------
        metadata
            A footer that has them.
        row_groups
            Their indices in it.
        name
            The file's name, from the directory of the dataset.
        """
        numbers = list(row_groups)
        self._parts += row_group_parts(metadata, numbers, name)
        self._rows += int(metadata.row_group_rows[numbers].sum())

    def add_changed(self, before: FileMetadata, changes: FileChanges) -> None:
        """Add the row groups of another summary, some of whose files change, and of new files.

        Parameters
        ----------
        before
            The other summary.
        changes
            What becomes of files.
        """
        replaced = set()
        for index in range(before.row_group_count):
            name = before.file_path(index) if before.column_count else None
            if name in changes.removed:
                continue
            if name not in changes.replaced:
                self.add(before, [index], name or "")
            elif name not in replaced:
                replaced.add(name)
                self.add_file(changes.replaced[name], name)
        for name, metadata in changes.added.items():
            self.add_file(metadata, name)

    def add_file(self, metadata: FileMetadata, name: str) -> None:
        """Add all row groups of a file.

        Parameters
        ----------
        metadata
            Its footer.
        name
            Its name, from the directory of the dataset.
        """
        self.add(metadata, range(metadata.row_group_count), name)

    def sort(self, key: SortKey) -> None:
        """Put the row groups in order.

        Parameters
        ----------
        key
            Of a row group, as an object with the names of the format's metadata.
        """
        whole = parse_footer(padded(self._footer(None))).to_thrift()
        keys = [key(each) for each in whole.row_groups]
        self._parts = [self._parts[at] for at in sorted(range(len(keys)), key=keys.__getitem__)]

    def file_bytes(self, key_value: Mapping[str, str | bytes] | None = None) -> bytes:
        """Return the content of the file ``_metadata``.

        Parameters
        ----------
        key_value
            What is told beside the schema; as in `base` unless given.
        """
        return file_of_footer(self._footer(key_value))

    def _footer(self, key_value: Mapping[str, str | bytes] | None) -> bytes:
        return footer_of_parts(self.base, self._parts, self._rows, key_value=key_value)


def check_describable(file: DataFile) -> None:
    """Refuse a file that is encrypted: a summary is not, and cannot tell how.

    Parameters
    ----------
    file
        The file, opened on its own.
    """
    if file.file_cipher is not None or file.metadata.encryption_algorithm_at is not None:
        raise UnsupportedFeature(
            "the file is encrypted, and a summary of several files cannot tell how; leave out the "
            "summary",
            file=file.label,
        )


def check_mergeable(base: FileMetadata, others: Sequence[tuple[str, FileMetadata]]) -> None:
    """Refuse files whose row groups one footer cannot describe.

    Parameters
    ----------
    base
        The footer that tells the schema.
    others
        Names and footers of the files.
    """
    for name, metadata in others:
        if metadata.schema is not base.schema and metadata.schema != base.schema:
            raise SchemaMismatch(
                "the file has another schema than the first file of the dataset, and one summary "
                f"tells one schema only; it has\n{metadata.schema.text}\nand the first has\n"
                f"{base.schema.text}",
                file=name,
            )
