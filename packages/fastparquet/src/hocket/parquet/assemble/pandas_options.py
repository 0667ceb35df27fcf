"""What a caller may ask of the pandas frame that a file becomes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any, Final

from hocket.parquet.errors import InvalidOption
from hocket.parquet.optional_pyarrow import has_pyarrow
from hocket.parquet.records import dataclass, field

__all__ = ["PandasOptions"]

_CHOICES: Final[Mapping[str, tuple[Any, ...]]] = {
    "dtype_backend": (None, "numpy_nullable", "pyarrow"),
    "strings": ("auto", "object", "bytes"),
    "decimals": ("auto", "arrow", "python", "float"),
    "nested": ("auto", "arrow", "python"),
    "binary": ("object", "arrow"),
    "uuids": ("bytes", "uuid"),
}


@dataclass(frozen=True, slots=True)
class PandasOptions:
    """How columns become arrays of pandas; the defaults are those of ``docs/parquet-types.md``.

    Parameters
    ----------
    pandas_nulls
        Whether columns of integers and booleans that can have nulls become pandas' masked arrays;
        otherwise they become float64 with NaN, which rounds integers beyond 2**53.
    dtypes
        By label, the dtype that a column shall have instead.
    dtype_backend
        "numpy_nullable" for masked arrays of all integers, floats and booleans, and pandas' older
        string dtype; "pyarrow" for Arrow-backed arrays of everything.
    strings
        "auto" for what pandas itself makes of strings (``str`` from version 3 on), "object" for
        Python strings, "bytes" for bytes as they are, not decoded.
    decimals
        "arrow" for exact Arrow-backed decimals, "python" for `decimal.Decimal` objects, "float" for
        the nearest float64; "auto" is "arrow" where pyarrow is installed, else "python".
    nested
        Lists, maps and structs: "arrow" for Arrow-backed arrays, "python" for lists and dicts;
        "auto" as with decimals.
    binary
        Byte strings that are no text: "object" for bytes objects, "arrow" for an Arrow-backed
        array.
    uuids
        "bytes", or "uuid" for `uuid.UUID` objects.
    decode_json
        Whether JSON becomes the Python objects that it describes, as with fastparquet; it stays
        text otherwise.
    categories
        Columns that become categoricals. None for those that pandas or Arrow wrote as such; an
        empty list for none. A mapping, as fastparquet takes it, is taken for its names.
    use_pandas_metadata
        Whether dtypes, labels and the index that pandas wrote beside the data are restored.
    """

    pandas_nulls: bool = True
    dtypes: Mapping[Hashable, Any] = field(default_factory=dict)
    dtype_backend: str | None = None
    strings: str = "auto"
    decimals: str = "auto"
    nested: str = "auto"
    binary: str = "object"
    uuids: str = "bytes"
    decode_json: bool = False
    categories: Collection[Hashable] | None = None
    use_pandas_metadata: bool = True

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                allowed = ", ".join(map(repr, choices))
                raise InvalidOption(f"{name} is {value!r}; it has to be one of {allowed}")
        needs_arrow = "pyarrow" if self.dtype_backend == "pyarrow" else None
        for name in ("decimals", "nested", "binary"):
            if getattr(self, name) == "arrow":
                needs_arrow = name
        if needs_arrow is not None and not has_pyarrow():
            raise InvalidOption(
                f"{needs_arrow} asks for Arrow-backed arrays, and pyarrow is not installed"
            )
        if isinstance(self.categories, (str, bytes)) or (
            self.categories is not None and not isinstance(self.categories, Collection)
        ):
            raise InvalidOption(
                f"categories is {self.categories!r}; it has to be a list of columns"
            )

    @property
    def arrow_decimals(self) -> bool:
        """Whether decimals become Arrow-backed arrays."""
        if self.dtype_backend == "pyarrow" and self.decimals == "auto":
            return True
        return self.decimals == "arrow" or (self.decimals == "auto" and has_pyarrow())

    @property
    def arrow_nested(self) -> bool:
        """Whether lists, maps and structs become Arrow-backed arrays."""
        return self.nested == "arrow" or (self.nested == "auto" and has_pyarrow())
