"""What pages read: the feed's events, folded into bounded tables. Pure: no I/O, no clock."""

from __future__ import annotations

from hocket.diagnostics.model.bars import Bar, Bars
from hocket.diagnostics.model.cluster import ClusterModel
from hocket.diagnostics.model.records import ClientRecord, GroupRecord, RouteRecord, WorkerRecord
from hocket.diagnostics.model.rings import ColumnRing, EventRing, Ring, Rows

__all__ = [
    "Bar",
    "Bars",
    "ClientRecord",
    "ClusterModel",
    "ColumnRing",
    "EventRing",
    "GroupRecord",
    "Ring",
    "RouteRecord",
    "Rows",
    "WorkerRecord",
]
