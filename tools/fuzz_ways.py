"""All the ways to read a file, for files that may be damaged.

A way ends well, or in a `ParquetError`. It also looks at what came out: Arrow data have to be valid
Arrow data, two reads have to give the same (no memory that was never written may show), and of two
ways to the same values neither may give others than the other.
"""

# ruff: noqa: SLF001 - it looks where damage could hide

from __future__ import annotations

import io
import pickle
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

__all__ = ["WAYS", "Disagreement", "read", "way_name"]

#: What values can have that no reader checks: Arrow finds it in a full validation.
_NO_FAULT: Final = re.compile(r"decimal|Decimal|time32|time64|date64|out of .*range|precision")

#: How errors of this library look that came through Arrow's C interface: with the file.
_OURS: Final = re.compile(r"LimitExceeded: |[A-Z]\w+: <bytes>")

#: Where folders are made: in memory, if that can be.
_FOLDERS: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

_EMPTY: Final = np.empty


class Disagreement(AssertionError):
    """Two ways to read one file gave different values, or invalid data."""


@dataclass(frozen=True)
class Case:
    """A file to be read, and how.

    Parameters
    ----------
    data
        The file.
    original
        Another file, perhaps of the same schema, for datasets.
    more
        A number for all choices that a way has.
    keys
        What decrypts it.
    """

    data: bytes
    original: bytes
    more: int
    keys: Any = None

    def open(self, place: Any, **options: Any) -> Any:
        """Open a file with the keys."""
        from hocket.parquet import ParquetFile  # noqa: PLC0415 - kernels may be replaced before

        return ParquetFile(place, decryption=self.keys, **options)


def read(data: bytes, original: bytes, way: int, keys: Any = None) -> None:
    """Read a file in one of several ways, which a number names."""
    WAYS[way % len(WAYS)](Case(data, original, way // len(WAYS), keys))


def way_name(way: int) -> str:
    """Return what a way is called."""
    return WAYS[way % len(WAYS)].__name__


def _pandas(case: Case) -> None:
    file = case.open(io.BytesIO(case.data), threads=1 + case.more % 2)
    frame = file.to_pandas()
    if len(frame) != file.count():
        raise Disagreement(f"{len(frame)} rows, and the file has {file.count()}")


def _options(case: Case) -> None:
    file = case.open(case.data, pandas_nulls=bool(case.more & 1), verify_checksums=False)
    name = file.columns[case.more % len(file.columns)] if file.columns else None
    options: list[dict[str, Any]] = [
        {"strings": "bytes", "decimals": "python", "nested": "python"},
        {"categories": [name]} if name else {},
        {"dtype_backend": "numpy_nullable", "decimals": "float", "strings": "object"},
        {"dtype_backend": "pyarrow"},
        {"uuids": "uuid", "decode_json": True, "nested": "python"},
        {"index": name} if name else {},
        {"columns": [name]} if name else {},
    ]
    file.to_pandas(**options[case.more // 2 % len(options)])


def _arrow(case: Case) -> None:
    table = case.open(io.BytesIO(case.data)).to_arrow()
    _check_arrow(table)


def _arrow_stream(case: Case) -> None:
    file = case.open(case.data)
    columns = (
        [file.columns[case.more % len(file.columns)]] if file.columns and case.more & 1 else None
    )
    _check_arrow(file.iter_arrow(columns))


def _check_arrow(found: Any) -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415
    except ImportError:
        return None
    from hocket.parquet import ParquetError  # noqa: PLC0415

    try:
        table = pa.table(found)
    except (pa.ArrowException, OSError) as error:
        if _OURS.match(str(error)):
            raise ParquetError(str(error)) from error
        if isinstance(error, pa.ArrowNotImplementedError):
            return None
        raise
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        if not _NO_FAULT.search(str(error)):
            raise Disagreement(str(error)) from error
    return table


def _numpy(case: Case) -> None:
    arrays = case.open(case.data).to_numpy()
    if len({len(array) for array in arrays.values()}) > 1:
        raise Disagreement("arrays of different lengths")


def _metadata(case: Case) -> None:
    file = case.open(io.BytesIO(case.data))
    _ = file.info, repr(file), file.schema.text, repr(file.schema), file.key_value_metadata
    _ = file.dtypes, file.pandas_metadata, file.created_by, file.fn, file.selfmade
    _ = file.statistics
    metadata = pickle.loads(pickle.dumps(file))._collection.summary
    for row_group in range(min(metadata.row_group_count, 3)):
        _ = metadata.sorting_columns(row_group)
        for column in range(min(metadata.column_count, 20)):
            _ = metadata.size_statistics(row_group, column)
            _ = metadata.geospatial_statistics(row_group, column)
            _ = metadata.chunk_key_value(row_group, column)
            _ = metadata.file_path(row_group, column)


def _objects(case: Case) -> None:
    file = case.open(case.data)
    _ = repr(file.fmd)
    for each in list(file.row_groups)[:3]:
        _ = repr(each), file.row_group_filename(each)
    file.head(5)


def _groups(case: Case) -> None:
    file = case.open(case.data)
    for _ in file.iter_row_groups():
        pass
    file.pre_allocate(3)
    if len(file):
        file[case.more % len(file)].to_pandas()
        file[:1].count()


def _filters(case: Case) -> None:
    file = case.open(case.data)
    for column, value in _conditions(file, case.more):
        operator = ("==", ">", "<=", "!=", "in", "not in", "is null")[case.more // 8 % 7]
        wanted: Any = [value] if operator in {"in", "not in"} else value
        filters = [(column, operator, wanted)]
        if case.more & 1:
            filters.append((file.columns[case.more // 64 % len(file.columns)], "is not null", None))
        with _whole_nbytes(0 if case.more & 2 else 1 << 20):
            file.to_pandas(filters=filters)
            file.to_arrow(filters=filters, columns=[column])
            file.count(filters=filters)


def _any_filters(case: Case) -> None:
    file = case.open(case.data)
    pairs = list(_conditions(file, case.more))
    if pairs:
        column, value = pairs[0]
        other = file.columns[case.more // 8 % len(file.columns)]
        with _whole_nbytes(0):
            file.to_pandas(filters=[[(column, "==", value)], [(other, "is null", None)]])
            file.to_pandas(filters=[[(column, ">=", value)]], row_filter=False)


def _conditions(file: Any, more: int) -> Iterator[tuple[str, Any]]:
    """Yield a column, and a value that it may hold."""
    if not file.columns:
        return
    column = file.columns[more // 16 % len(file.columns)]
    values = file.head(1000, columns=[column], index=False)
    if column in values.columns:
        value = values[column].dropna()
        if len(value) and isinstance(value.iloc[0], (str, int, float, bytes, bool, np.generic)):
            yield column, value.iloc[len(value) // 2]


@contextmanager
def _whole_nbytes(nbytes: int) -> Iterator[None]:
    """Have chunks that are larger read page by page, as the offset index says."""
    from hocket.parquet.dataset import page_reading  # noqa: PLC0415

    module = cast("Any", page_reading)
    before = module._WHOLE_NBYTES
    module._WHOLE_NBYTES = nbytes
    try:
        yield
    finally:
        module._WHOLE_NBYTES = before


def _mask(case: Case) -> None:
    file = case.open(case.data)
    rows = file.count()
    if rows < 1 << 20:
        with _whole_nbytes(0):
            wanted = np.arange(rows) % (2 + case.more % 200) == 1
            frame = file.to_pandas(row_filter=wanted)
            if len(frame) != int(wanted.sum()):
                raise Disagreement(f"{len(frame)} rows of {int(wanted.sum())}")


def _indexes(case: Case) -> None:
    """Read all page indexes and Bloom filters, each of which may be refused."""
    from hocket.parquet import ParquetError  # noqa: PLC0415

    for file in case.open(case.data)._collection.files:
        for group in range(min(file.metadata.row_group_count, 4)):
            for leaf in file.metadata.schema.leaves[:20]:
                for index in (_places, _bounds, _bloom):
                    with suppress(ParquetError):
                        index(file, group, leaf)


def _places(file: Any, group: int, leaf: Any) -> None:
    from hocket.parquet.dataset.page_places import offset_index  # noqa: PLC0415

    offset_index(file, group, leaf)


def _bounds(file: Any, group: int, leaf: Any) -> None:
    from hocket.parquet.crypto.modules import Module  # noqa: PLC0415
    from hocket.parquet.dataset.page_places import index_bytes  # noqa: PLC0415
    from hocket.parquet.metadata.page_index import parse_column_index  # noqa: PLC0415

    chunks, column = file.metadata.chunks, leaf.column_index
    raw = index_bytes(
        file,
        group,
        leaf,
        Module.COLUMN_INDEX,
        int(chunks.column_index_offset[group, column]),
        int(chunks.column_index_nbytes[group, column]),
    )
    if raw is not None:
        index = parse_column_index(raw, leaf, 1)
        _ = [index.statistics(page) for page in range(min(len(index), 50))]


def _bloom(file: Any, group: int, leaf: Any) -> None:
    from hocket.parquet.dataset import pruning  # noqa: PLC0415

    bloom = cast("Any", pruning)._bloom_filter(file, group, leaf)
    if bloom is not None:
        bloom.might_contain(12345)


def _dataset(case: Case) -> None:
    pair = [case.original, case.data] if case.more & 1 else [case.data, case.original]
    case.open([io.BytesIO(each) for each in pair]).to_pandas()


def _folder(case: Case) -> None:
    """Read a folder with partitions, and a file `_metadata` which is the damaged one."""
    with tempfile.TemporaryDirectory(dir=_FOLDERS) as name:
        folder = Path(name)
        for part in ("year=2025", "year=2026"):
            (folder / part).mkdir()
            (folder / part / "a.parquet").write_bytes(case.original if case.more & 1 else case.data)
        if case.more & 2:
            (folder / "_metadata").write_bytes(case.data)
        # What `_metadata` names may not be there.
        with suppress(OSError):
            file = case.open(str(folder), verify=bool(case.more & 4))
            file.to_pandas()
            file.to_arrow(filters=[("year", "==", 2026)])


def _command(case: Case) -> None:
    """Look into a file as from a shell."""
    from hocket.parquet.cli.program import main  # noqa: PLC0415

    verb = ("info", "schema", "head", "stats", "pages", "verify")[case.more % 6]
    with tempfile.NamedTemporaryFile(dir=_FOLDERS, suffix=".parquet") as file:
        file.write(case.data)
        file.flush()
        arguments = [verb, file.name, *(["--json"] if case.more & 8 else [])]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
            code = main(arguments)
    if code not in (0, 1):
        raise Disagreement(f"{verb} ends with {code}: {told.getvalue()}")


def _twice(case: Case) -> None:
    """Read with different bytes in all memory that is not yet written."""
    with _poisoned(0x00):
        first = _check_arrow(case.open(case.data, threads=1).to_arrow())
    with _poisoned(0xFF):
        second = _check_arrow(case.open(case.data, threads=1).to_arrow())
    if first is not None and not first.equals(second):
        one, other = repr(first.to_pylist()), repr(second.to_pylist())
        if one != other:
            at = next(at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
            raise Disagreement(
                f"memory that was never written shows: {one[at - 60 : at + 60]} and "
                f"{other[at - 60 : at + 60]}"
            )


@contextmanager
def _poisoned(byte: int) -> Iterator[None]:
    def empty(*arguments: Any, **options: Any) -> Any:
        made = _EMPTY(*arguments, **options)
        if made.nbytes < 1 << 24 and made.dtype.hasobject is False and made.flags.c_contiguous:
            made.reshape(-1).view(np.uint8)[:] = byte
        return made

    module = cast("Any", np)
    module.empty = empty
    try:
        yield
    finally:
        module.empty = _EMPTY


def _one_by_one(case: Case) -> None:
    """Compare columns that are read together with the same ones, each alone."""
    from hocket.parquet import ParquetError  # noqa: PLC0415

    file = case.open(case.data)
    if len(set(file.columns)) != len(file.columns) or not file.columns:
        return
    together = file.to_pandas(index=False)
    for name in file.columns[:8]:
        try:
            alone = file.to_pandas(columns=[name], index=False)
        except ParquetError as error:
            raise Disagreement(f"{name} is read among others, and alone: {error}") from error
        one, other = together[name], alone[name]
        if not one.equals(other) and repr(one.tolist()) != repr(other.tolist()):
            raise Disagreement(f"{name} differs when it is read alone")


WAYS: Final[list[Callable[[Case], None]]] = [
    _pandas,
    _pandas,
    _pandas,
    _options,
    _arrow,
    _arrow,
    _arrow_stream,
    _numpy,
    _metadata,
    _objects,
    _groups,
    _filters,
    _filters,
    _any_filters,
    _mask,
    _indexes,
    _dataset,
    _folder,
    _command,
    _command,
    _twice,
    _one_by_one,
]
