"""What Arrow's readers of geometries (GeoArrow) are told of a column of well-known binary."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from hocket.parquet.metadata.schema import LogicalKind, LogicalType

__all__ = ["geometry_extension"]

_AUTHORITY_AND_CODE: Final = r"[A-Za-z][A-Za-z0-9_]*:[A-Za-z0-9_.]+"


def geometry_extension(
    logical: LogicalType, key_value: Mapping[str, str | bytes]
) -> tuple[str, str]:
    """Return the name of the extension type and its metadata, JSON.

    Parameters
    ----------
    logical
        The GEOMETRY or GEOGRAPHY.
    key_value
        The file's key-value metadata: a coordinate reference system may be a value there.
    """
    described = _reference_system(logical.crs or "OGC:CRS84", key_value)
    if logical.kind is LogicalKind.GEOGRAPHY:
        described["edges"] = logical.algorithm or "spherical"
    return "geoarrow.wkb", json.dumps(described)


def _reference_system(crs: str, key_value: Mapping[str, str | bytes]) -> dict[str, Any]:
    prefix, _, rest = crs.partition(":")
    if prefix == "srid":
        return {"crs": rest, "crs_type": "srid"}
    text: str | bytes = crs
    if prefix == "projjson":
        text = key_value.get(rest, crs)
    if text[:1] in ("{", b"{"):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            # Not what it says it is: handed on as it stands.
            return {"crs": crs}
        return {"crs": parsed, "crs_type": "projjson"}
    if re.fullmatch(_AUTHORITY_AND_CODE, crs) and prefix != "projjson":
        return {"crs": crs, "crs_type": "authority_code"}
    return {"crs": crs}
