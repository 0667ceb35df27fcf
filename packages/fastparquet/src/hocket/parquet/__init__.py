"""A standalone Parquet library with Numba kernels.

::

    import hocket.parquet as hp

    frame = hp.read("trips.parquet", columns=["zone", "fare"], filters=[("fare", ">", 100)])
    table = hp.ParquetFile("trips.parquet").to_arrow()   # for pyarrow, polars, DuckDB, pandas
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hocket.parquet.api import compact, merge, read, update_file_custom_metadata, write
    from hocket.parquet.crypto import DecryptionKeys
    from hocket.parquet.crypto.encryption_keys import EncryptionKeys
    from hocket.parquet.dataset.edit.shared_writer import SharedWriter, WrittenPiece
    from hocket.parquet.dataset.parquet_file import ParquetFile
    from hocket.parquet.dataset.parquet_part import ParquetPart
    from hocket.parquet.dropin.installing import install_as_fastparquet
    from hocket.parquet.errors import (
        ChecksumMismatch,
        ColumnMissing,
        CorruptFile,
        EditConflict,
        EncryptionError,
        InvalidArrow,
        InvalidFilter,
        InvalidOption,
        KernelsUnavailable,
        LimitExceeded,
        ParquetError,
        SchemaMismatch,
        UnsupportedFeature,
        ValueOutOfRange,
        ValueUnstorable,
    )
    from hocket.parquet.errors import ParquetError as ParquetException
    from hocket.parquet.writing.writer import ParquetWriter

__all__ = [
    "ChecksumMismatch",
    "ColumnMissing",
    "CorruptFile",
    "DecryptionKeys",
    "EditConflict",
    "EncryptionError",
    "EncryptionKeys",
    "InvalidArrow",
    "InvalidFilter",
    "InvalidOption",
    "KernelsUnavailable",
    "LimitExceeded",
    "ParquetError",
    "ParquetException",
    "ParquetFile",
    "ParquetPart",
    "ParquetWriter",
    "SchemaMismatch",
    "SharedWriter",
    "UnsupportedFeature",
    "ValueOutOfRange",
    "ValueUnstorable",
    "WrittenPiece",
    "compact",
    "install_as_fastparquet",
    "merge",
    "read",
    "update_file_custom_metadata",
    "write",
]

#: Where each name comes from when it is first asked for: importing this package imports nothing.
_MODULES: Final = {
    "DecryptionKeys": "hocket.parquet.crypto.keys",
    "EncryptionKeys": "hocket.parquet.crypto.encryption_keys",
    "ParquetFile": "hocket.parquet.dataset.parquet_file",
    "ParquetPart": "hocket.parquet.dataset.parquet_part",
    "ParquetWriter": "hocket.parquet.writing.writer",
    "SharedWriter": "hocket.parquet.dataset.edit.shared_writer",
    "WrittenPiece": "hocket.parquet.dataset.edit.shared_writer",
    "compact": "hocket.parquet.api",
    "install_as_fastparquet": "hocket.parquet.dropin.installing",
    "merge": "hocket.parquet.api",
    "read": "hocket.parquet.api",
    "update_file_custom_metadata": "hocket.parquet.api",
    "write": "hocket.parquet.api",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_MODULES.get(name, "hocket.parquet.errors"))
    value = getattr(module, "ParquetError" if name == "ParquetException" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
