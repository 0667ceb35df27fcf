"""What GeoArrow says of a column of well-known binary, as Parquet's GEOMETRY and GEOGRAPHY."""

from __future__ import annotations

import json
from typing import Any, Final

from hocket.parquet.metadata.logical import LogicalKind, LogicalType

__all__ = ["geometry_type"]

#: Longitude and latitude, which Parquet's types have where nothing else is said.
_DEFAULT: Final = frozenset({"OGC:CRS84", "CRS84", "OGC:84"})
_EDGES: Final = frozenset({"spherical", "vincenty", "thomas", "andoyer", "karney"})


def geometry_type(extension_metadata: bytes) -> LogicalType:
    """Return the logical type that the metadata of ``geoarrow.wkb`` tells.

    Parameters
    ----------
    extension_metadata
        JSON, or nothing. No coordinate reference system is taken for longitude and latitude, as
        Parquet has it.
    """
    try:
        told = json.loads(extension_metadata or b"{}")
    except (ValueError, RecursionError):
        told = {}
    if not isinstance(told, dict):
        told = {}
    crs = _reference_system(told.get("crs"), told.get("crs_type"))
    edges = told.get("edges")
    if edges in _EDGES:
        return LogicalType(LogicalKind.GEOGRAPHY, crs=crs, algorithm=edges)
    return LogicalType(LogicalKind.GEOMETRY, crs=crs)


def _reference_system(crs: Any, kind: object) -> str | None:
    if isinstance(crs, dict):
        identity = crs.get("id")
        if isinstance(identity, dict):
            code = f"{identity.get('authority')}:{identity.get('code')}"
            if code in _DEFAULT:
                return None
        return json.dumps(crs, separators=(",", ":"))
    if not isinstance(crs, str) or not crs or crs in _DEFAULT:
        return None
    if kind == "srid" and not crs.startswith("srid:"):
        return f"srid:{crs}"
    return crs
