"""The error tree of the Parquet library: every error says where, and why.

::

    ParquetError(reason, file, row_group, column, page, offset)
    |-- CorruptFile          the bytes contradict themselves or the format
    |   |-- ChecksumMismatch a page's CRC is not that of its bytes
    |   `-- ValueOutOfRange  a value does not fit the type that was asked for; a wider one may do
    |-- UnsupportedFeature   the file is valid, and this version cannot read that part
    |-- EncryptionError      a key is missing or wrong, or what is encrypted was tampered with
    |-- LimitExceeded        reading on would take more memory than the caller allows
    |-- ColumnMissing        a name that the schema does not have
    |-- InvalidFilter        a filter that cannot be understood or applied
    |-- InvalidOption        an argument that no file can satisfy
    |-- SchemaMismatch       the files of a dataset do not fit together
    |-- ValueUnstorable      a value or a type that Parquet has no place for
    |-- InvalidArrow         what another library handed over is not valid Arrow data
    |-- EditConflict         another writer changed, or is changing, what was to be changed
    `-- KernelsUnavailable   nothing here can compile the kernels, and a large file needs them

Code deep inside knows the reason and the page; who calls it knows the column, the row group and the
file: each adds what it knows with `ParquetError.located`.
"""

from __future__ import annotations

from typing import Any, Final, Self

__all__ = [
    "ChecksumMismatch",
    "ColumnMissing",
    "CorruptFile",
    "EditConflict",
    "EncryptionError",
    "InvalidArrow",
    "InvalidFilter",
    "InvalidOption",
    "KernelsUnavailable",
    "LimitExceeded",
    "ParquetError",
    "SchemaMismatch",
    "UnsupportedFeature",
    "ValueOutOfRange",
    "ValueUnstorable",
]

_PLACES: Final = ("file", "row_group", "column", "page", "offset")


class ParquetError(ValueError):
    """Any error of this library.

    Parameters
    ----------
    reason
        What is wrong, in words, with the value that is wrong, and the remedy if there is one.
    file
        The path or URL, or a description of the buffer.
    row_group
        Index of the row group, from 0.
    column
        Dotted path of the column in the schema.
    page
        Index of the page in its column chunk, from 0, the dictionary page counted.
    offset
        Position in the file, in bytes.
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str | None = None,
        row_group: int | None = None,
        column: str | None = None,
        page: int | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.file = file
        self.row_group = row_group
        self.column = column
        self.page = page
        self.offset = offset

    def located(self, **places: Any) -> Self:
        """Fill in places that are not known yet, and return the error itself.

        Parameters
        ----------
        **places
            Any of file, row_group, column, page, offset.
        """
        for name, value in places.items():
            if name not in _PLACES:
                raise TypeError(f"{name!r} is no place; those are {', '.join(_PLACES)}")
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def __str__(self) -> str:
        where = []
        if self.file is not None:
            where.append(str(self.file))
        if self.row_group is not None:
            where.append(f"row group {self.row_group}")
        if self.column is not None:
            where.append(f"column {self.column!r}")
        if self.page is not None:
            where.append(f"page {self.page}")
        if self.offset is not None:
            where.append(f"offset {self.offset}")
        return f"{', '.join(where)}: {self.reason}" if where else self.reason

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.reason, {n: getattr(self, n) for n in _PLACES})


def _rebuild(cls: type[ParquetError], reason: str, places: dict[str, Any]) -> ParquetError:
    return cls(reason, **places)


class CorruptFile(ParquetError):
    """The bytes contradict themselves or the format."""


class ChecksumMismatch(CorruptFile):
    """A page's CRC is not that of its bytes."""


class ValueOutOfRange(CorruptFile):
    """A value does not fit the type that was asked for, though perhaps a wider one."""


class UnsupportedFeature(ParquetError):
    """The file is valid, and this version cannot read that part of it."""


class EncryptionError(ParquetError):
    """A key is missing or wrong, or what is encrypted was tampered with."""


class LimitExceeded(ParquetError):
    """Reading on would take more memory than the caller allows."""


class ColumnMissing(ParquetError, KeyError):
    """A column was asked for that the schema does not have."""

    __str__ = ParquetError.__str__


class InvalidFilter(ParquetError):
    """A filter cannot be understood or applied."""


class InvalidOption(ParquetError):
    """An argument has a value that no file can satisfy."""


class SchemaMismatch(ParquetError):
    """The files of a dataset do not fit together."""


class ValueUnstorable(ParquetError):
    """A value or a type that Parquet, or this column, has no place for."""


class InvalidArrow(ParquetError):
    """What another library handed over is not valid Arrow data, or it failed to."""


class EditConflict(ParquetError):
    """Another writer changed, or is changing, what was to be changed."""


class KernelsUnavailable(ParquetError):
    """Nothing here can compile the kernels, and a large file needs them."""
