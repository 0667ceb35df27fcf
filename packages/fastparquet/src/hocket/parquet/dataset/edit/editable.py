"""What `ParquetFile` can change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hocket.parquet.dataset.arguments import position_of
from hocket.parquet.dataset.handle import Handle
from hocket.parquet.errors import InvalidOption

if TYPE_CHECKING:
    from hocket.parquet.dataset.collection import Collection

__all__ = ["Editable"]


class Editable(Handle):
    """The methods of `hocket.parquet.ParquetFile` that change files.

    Each takes effect as a whole or not at all, whatever happens, and this object shows the dataset
    as it is then.
    """

    def remove_row_groups(
        self,
        rgs: Any,
        sort_pnames: bool = False,  # noqa: FBT001, FBT002  the order of fastparquet's
        write_fmd: bool = True,  # noqa: FBT001, FBT002
        open_with: Callable[..., Any] | None = None,
        remove_with: Callable[..., Any] | None = None,
    ) -> None:
        """Take row groups out of the file or dataset; files that have no others are removed.

        Parameters
        ----------
        rgs
            One of `row_groups` or several, or their numbers.
        sort_pnames
            Not used: the order of row groups does not depend on the names of files.
        write_fmd
            Whether to write ``_metadata`` of a dataset; if it is there, it is kept right anyway.
        open_with, remove_with
            Not used: files belong to the file system that the dataset was opened in.
        """
        del sort_pnames, open_with, remove_with
        from hocket.parquet.dataset.edit import methods  # noqa: PLC0415 - readers need it not

        is_one = hasattr(rgs, "columns") or not isinstance(rgs, Iterable)
        wanted = [rgs] if is_one else list(rgs)
        numbers = {self._groups[position_of(self.row_groups, each)] for each in wanted}
        self._take(methods.remove(self._collection, sorted(numbers), write_summary=write_fmd))

    def write_row_groups(  # noqa: PLR0913, PLR0917 - as many as fastparquet has
        self,
        data: Any,
        row_group_offsets: Any = None,
        sort_key: Callable[[Any], Any] | None = None,
        sort_pnames: bool = False,  # noqa: FBT001, FBT002
        compression: Any = "zstd",
        write_fmd: bool = True,  # noqa: FBT001, FBT002
        open_with: Callable[..., Any] | None = None,
        mkdirs: Callable[..., Any] | None = None,
        stats: Any = True,  # noqa: FBT002
        **options: Any,
    ) -> None:
        """Add rows: behind those of the file, or in new files of the dataset.

        Parameters
        ----------
        data
            Whatever `hocket.parquet.write` takes, with the columns that there are.
        row_group_offsets, compression, stats
            As with `hocket.parquet.write`, where ``stats`` is called ``statistics``.
        sort_key
            Of a row group, as in `row_groups`, what those of a dataset are to be sorted by.
        sort_pnames
            Not used: the order of row groups does not depend on the names of files.
        write_fmd
            Whether to write ``_metadata`` of a dataset; if it is there, it is kept right anyway.
        open_with, mkdirs
            Not used: files belong to the file system that the dataset was opened in.
        **options
            More of `hocket.parquet.write`.
        """
        del sort_pnames, open_with, mkdirs
        from hocket.parquet.dataset.edit import methods  # noqa: PLC0415 - readers need it not

        options["row_group_offsets"] = row_group_offsets
        options["compression"] = compression
        options["statistics"] = True if stats == "auto" else stats
        self._take(
            methods.add(self._collection, data, options, write_summary=write_fmd, sort_key=sort_key)
        )

    def _write_common_metadata(self, open_with: Callable[..., Any] | None = None) -> None:
        """Write ``_metadata`` and ``_common_metadata`` of the dataset.

        Parameters
        ----------
        open_with
            Not used.
        """
        del open_with
        if self.file_scheme in ("simple", "empty"):
            raise InvalidOption(
                "Not possible to write _metadata of a single file; it is for datasets of several",
                file=self.fn,
            )
        from hocket.parquet.dataset.edit.merging import merge  # noqa: PLC0415 - readers need it not

        merge(self._collection)

    def _take(self, collection: Collection) -> None:
        self._collection = collection
        self._groups = tuple(range(len(collection.groups)))
        # What went to other processes before shows the dataset as it was.
        self._reference = None
