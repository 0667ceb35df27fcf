"""What an opened dataset says of itself, before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hocket.parquet.dataset.statistics_view import statistics_of
from hocket.parquet.dataset.thrift_view import RowGroupObjects, file_metadata_object

if TYPE_CHECKING:
    from hocket.parquet.dataset.collection import Collection
    from hocket.parquet.metadata.schema import Schema

__all__ = ["Described"]

#: So many names of columns are shown at once.
_SHOWN_COLUMNS: Final = 12


class Described:
    """The attributes of `hocket.parquet.ParquetFile`."""

    _collection: Collection
    _groups: tuple[int, ...]

    @property
    def columns(self) -> list[str]:
        """The names of the columns in the files."""
        return [field.name for field in self._collection.fields]

    @property
    def cats(self) -> dict[str, list[Any]]:
        """Partitions: the values that the row groups have of each."""
        result = {}
        for partition in self._collection.partitions:
            codes = {partition.codes[self._collection.groups[at].file] for at in self._groups}
            result[partition.name] = list(partition.values[sorted(codes - {-1})])
        return result

    @property
    def categories(self) -> dict[str, int]:
        """Columns that were categoricals in pandas, with how many categories they had."""
        columns = self._collection.pandas_json.get("columns")
        result = {}
        for item in columns if isinstance(columns, list) else []:
            if isinstance(item, dict) and item.get("pandas_type") == "categorical":
                about = item.get("metadata")
                count = about.get("num_categories") if isinstance(about, dict) else None
                name = item.get("field_name") or item.get("name")
                if isinstance(name, str):
                    result[name] = count if isinstance(count, int) else 0
        return result

    @property
    def partition_meta(self) -> dict[str, Any]:
        """What pandas' metadata say of the partitions, by name."""
        columns = self._collection.pandas_json.get("partition_columns")
        items = columns if isinstance(columns, list) else []
        return {item["name"]: item for item in items if isinstance(item, dict) and "name" in item}

    @property
    def schema(self) -> Schema:
        """The schema; ``schema.text`` shows it."""
        return self._collection.schema

    @property
    def statistics(self) -> dict[str, dict[str, list[Any]]]:
        """``{"min", "max", "null_count", "distinct_count"}`` of each column, by row groups."""
        return statistics_of(self._collection, self._groups)

    @property
    def key_value_metadata(self) -> dict[str, str | bytes]:
        """What writers added to the file."""
        return dict(self._collection.summary.key_value)

    @property
    def pandas_metadata(self) -> dict[str, Any]:
        """What pandas wrote of the frame; empty if it did not."""
        return self._collection.pandas_json

    @property
    def has_pandas_metadata(self) -> bool:
        """Whether pandas wrote something of the frame."""
        return bool(self._collection.pandas_json)

    @property
    def file_scheme(self) -> str:
        """``simple`` (one file), ``flat``, ``hive``, ``drill``, ``other`` or ``empty``."""
        return self._collection.scheme if self._groups else "empty"

    @property
    def fn(self) -> str:
        """The path of the file, or of the dataset's ``_metadata``, be it there or not."""
        found = self._collection.found
        if found.metadata is not None:
            return found.metadata
        if found.is_single:
            return self._collection.files[0].label
        return f"{found.root}/_metadata" if found.root else "_metadata"

    @property
    def basepath(self) -> str:
        """The directory of the dataset; of a single file, its path."""
        found = self._collection.found
        return self.fn if found.is_single else found.root

    @property
    def created_by(self) -> str | None:
        """The program that wrote the file, in its own words."""
        return self._collection.summary.created_by

    @property
    def selfmade(self) -> bool:
        """Whether this library or fastparquet wrote the file."""
        writer = (self.created_by or "").lower()
        return writer.startswith(("fastparquet", "hocket"))

    @property
    def row_groups(self) -> RowGroupObjects:
        """The row groups as objects with the names of the format's own metadata."""
        return RowGroupObjects(self._collection, self._groups)

    @property
    def fmd(self) -> Any:
        """The metadata as an object with the names of the format's own."""
        return file_metadata_object(self._collection, self.row_groups)

    @property
    def fs(self) -> Any:
        """The fsspec file system of the files."""
        filesystem = self._collection.found.filesystem
        if filesystem is not None:
            return filesystem
        import fsspec  # noqa: PLC0415 - only where it is asked for

        return fsspec.filesystem("file")

    @property
    def info(self) -> dict[str, Any]:
        """The most important of all this."""
        return {
            "name": self.fn,
            "columns": self.columns,
            "partitions": [partition.name for partition in self._collection.partitions],
            "rows": self._row_count,
            "row_groups": len(self._groups),
        }

    @property
    def _row_count(self) -> int:
        return int(self._collection.rows[list(self._groups)].sum())

    def __len__(self) -> int:
        return len(self._groups)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        names = self._collection.names
        shown = ", ".join(names[:_SHOWN_COLUMNS])
        more = len(names) - _SHOWN_COLUMNS
        tail = f" and {more:,} more" if more > 0 else ""
        return (
            f"<ParquetFile {self.fn!r}: {self._row_count:,} rows in {len(self):,} row groups, "
            f"{len(names):,} columns: {shown}{tail}>"
        )
