"""The files that fuzzing damages: those of the public corpus, and small ones of every kind."""

from __future__ import annotations

import contextlib
import io
import pickle
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from fuzz_dissection import Dissected, dissected
from workspace import ROOT

__all__ = ["Seed", "seeds"]

CORPUS: Final = ROOT.parent / "shared" / "data"

#: Larger files teach nothing more, and cost time.
NBYTES_MAX: Final = 60_000

#: As the corpus documents them.
_FOOTER_KEY: Final = b"0123456789012345"
_COLUMN_KEYS: Final[dict[str | tuple[str, ...], bytes]] = {
    "double_field": b"1234567890123450",
    "float_field": b"1234567890123451",
}
_ROWS: Final = 300


@dataclass(frozen=True)
class Seed:
    """A file to be damaged.

    Parameters
    ----------
    name
        Its name.
    data
        Its bytes.
    """

    name: str
    data: bytes

    @cached_property
    def _pickled(self) -> bytes | None:
        found = dissected(self.data)
        return None if found is None else pickle.dumps(found)

    def dissected(self) -> Dissected | None:
        """Return it taken apart, new each time; None if it cannot be."""
        return None if self._pickled is None else pickle.loads(self._pickled)

    def keys(self) -> Any:
        """Return what decrypts it; None if it is not encrypted."""
        from hocket.parquet import DecryptionKeys  # noqa: PLC0415 - kernels may still be replaced

        if not self.name.endswith(".encrypted"):
            return None
        columns: dict[str | tuple[str, ...], bytes] = {} if "uniform" in self.name else _COLUMN_KEYS
        prefix = b"tester" if "disable_aad" in self.name else None
        return DecryptionKeys(_FOOTER_KEY, columns, aad_prefix=prefix)


def seeds(only: str = "") -> list[Seed]:
    """Return all files whose names match a regular expression."""
    found = [
        Seed(str(path.relative_to(CORPUS)), path.read_bytes())
        for path in (sorted(CORPUS.rglob("*.parquet*")) if CORPUS.exists() else [])
        if path.suffix != ".json" and path.stat().st_size <= NBYTES_MAX
    ]
    found += written()
    chosen = [seed for seed in found if re.search(only, seed.name)]
    if not chosen:
        raise SystemExit(f"no seed file matches {only!r}")
    return chosen


def written() -> list[Seed]:
    """Return small files of every encoding, page version and codec, with indexes; none is random.

    None at all without pyarrow.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415
    except ImportError:
        return []
    found: list[Seed] = []
    for name, (array, encodings) in _columns().items():
        for encoding in [*encodings, "dictionary"]:
            for version in ("1.0", "2.0"):
                options: dict[str, Any] = {"use_dictionary": encoding == "dictionary"}
                if encoding != "dictionary" and not pa.types.is_nested(array.type):
                    options["column_encoding"] = {name: encoding}
                with contextlib.suppress(OSError, pa.ArrowException):
                    data = _written(pa.table({name: array}), data_page_version=version, **options)
                    found.append(Seed(f"written/{name}-{encoding}-v{version[0]}", data))
    wide = pa.table({name: array for name, (array, _) in _columns().items()})
    for codec in ("NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4"):
        for version in ("1.0", "2.0"):
            data = _written(wide, data_page_version=version, compression=codec)
            found.append(Seed(f"written/wide-{codec}-v{version[0]}", data))
    blooms: dict[str, dict[str, Any]] = {
        name: {} for name in ("i32", "i64", "f64", "text", "fixed")
    }
    narrow = wide.select([*blooms, "bool"])
    data = _written(narrow, bloom_filter_options=blooms, write_page_checksum=True)
    found.append(Seed("written/bloom", data))
    frame = narrow.to_pandas().set_index(["i64", "text"])
    found.append(Seed("written/pandas", _written(pa.Table.from_pandas(frame))))
    return found


def _columns() -> dict[str, tuple[Any, list[str]]]:
    import pyarrow as pa  # noqa: PLC0415

    numbers = [None if n % 7 == 3 else n * n for n in range(_ROWS)]
    words = [None if n % 5 == 1 else f"word {n % 40} {'x' * (n % 13)}" for n in range(_ROWS)]
    integers = ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
    lists = [None if n % 9 == 4 else list(range(n % 4)) for n in range(_ROWS)]
    maps = [[(f"k{n % 3}", n)] for n in range(_ROWS)]
    structs = [{"a": n, "b": [str(n)]} if n % 4 else None for n in range(_ROWS)]
    return {
        "i32": (pa.array(numbers, pa.int32()), integers),
        "i64": (pa.array(numbers, pa.int64()), integers),
        "i8": (pa.array([n % 100 for n in range(_ROWS)], pa.int8()), integers),
        "f64": (pa.array(numbers, pa.float64()), ["PLAIN", "BYTE_STREAM_SPLIT"]),
        "f16": (pa.array([n / 8 for n in range(_ROWS)], pa.float16()), ["PLAIN"]),
        "time": (pa.array(numbers, pa.timestamp("us", "UTC")), ["PLAIN"]),
        "bool": (pa.array([None if n is None else n % 3 == 0 for n in numbers]), ["PLAIN", "RLE"]),
        "text": (pa.array(words), ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]),
        "fixed": (
            pa.array([b"%06d" % n for n in range(_ROWS)], pa.binary(6)),
            ["PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"],
        ),
        "decimal": (pa.array(numbers).cast(pa.decimal128(20, 0)), ["PLAIN"]),
        "list": (pa.array(lists), ["PLAIN"]),
        "map": (pa.array(maps, pa.map_(pa.string(), pa.int64())), ["PLAIN"]),
        "struct": (pa.array(structs), ["PLAIN"]),
    }


def _written(table: Any, **options: Any) -> bytes:
    import pyarrow.parquet as pq  # noqa: PLC0415

    sink = io.BytesIO()
    told = {
        "compression": "NONE",
        "write_page_index": True,
        "data_page_size": 600,
        "row_group_size": 200,
    }
    pq.write_table(table, sink, **{**told, **options})
    return sink.getvalue()
