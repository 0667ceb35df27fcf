"""Statistics of geometries: where they are, and of which kinds."""

from __future__ import annotations

import io
import math
import struct

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from parquet_chunk_writer import leaf_of

import hocket.parquet as hp
from hocket.parquet.arrays.leaf_entries import DenseValues
from hocket.parquet.encode.geometry import bounding_box_of
from hocket.parquet.kernels.source.wkb import KINDS
from hocket.parquet.metadata.logical import LogicalKind, LogicalType, PhysicalType

NAN = math.nan


def wkb(kind: int, *parts, order: str = "<") -> bytes:
    """A geometry: of points the coordinates, of lines lists of points, of others geometries."""
    head = struct.pack(f"{order}BI", order == "<", kind)
    base = kind % 1000
    if base == 1:
        return head + struct.pack(f"{order}{len(parts)}d", *parts)

    def points(line):
        raw = b"".join(struct.pack(f"{order}{len(each)}d", *each) for each in line)
        return struct.pack(f"{order}I", len(line)) + raw

    if base == 2:
        return head + points(parts)
    raw = b"".join(points(part) if base == 3 else part for part in parts)
    return head + struct.pack(f"{order}I", len(parts)) + raw


def statistics(values, **options):
    file = io.BytesIO()
    data = {"g": np.array(values, object)}
    hp.write(file, data, geometry={"g": None}, **options)
    opened = hp.ParquetFile(file)
    assert opened.to_pandas()["g"].tolist() == list(values)
    return opened.row_groups[0].columns[0].meta_data.geospatial_statistics


@pytest.mark.parametrize("order", ["<", ">"])
def test_bounds_and_kinds(order):
    found = statistics(
        [
            wkb(1, 3.0, -2.0, order=order),
            wkb(2, (0.0, 7.5), (-1.0, 5.0), order=order),
            wkb(3, [(0, 0), (9, 0), (0, 0)], [(1, 1), (2, 2)], order=order),
            wkb(1001, 1.0, 1.0, 100.0, order=order),
            wkb(2001, 1.0, 1.0, 55.0, order=order),
            wkb(3002, (1, 1, -5, 60), order=order),
            wkb(7, wkb(4, wkb(1, 20.0, 1.0)), wkb(6, wkb(3, [(0, 30)])), order=order),
            wkb(1, NAN, NAN, order=order),
        ]
    )
    box = found.bbox
    assert (box.xmin, box.xmax, box.ymin, box.ymax) == (-1.0, 20.0, -2.0, 30.0)
    assert (box.zmin, box.zmax, box.mmin, box.mmax) == (-5.0, 100.0, 55.0, 60.0)
    assert found.geospatial_types == [1, 2, 3, 7, 1001, 2001, 3002]


def test_no_bounds():
    """Of nothing, of empty geometries, of what is none, and of what lies on a globe."""
    empty = statistics([wkb(1, NAN, NAN), wkb(2)])
    assert (empty.bbox, empty.geospatial_types) == (None, [1, 2])
    for broken in (
        b"",
        b"\1",
        wkb(1, 1.0, 2.0)[:-1],
        wkb(99, wkb(2)),
        b"\7" + wkb(1, 1.0, 2.0)[1:],
    ):
        raw = [wkb(1, 1.0, 2.0), broken]
        offsets = np.cumsum([0, *map(len, raw)])
        node = leaf_of(PhysicalType.BYTE_ARRAY, logical=LogicalType(LogicalKind.GEOMETRY))
        values = DenseValues(node, 2, np.frombuffer(b"".join(raw), np.uint8), offsets)
        assert bounding_box_of(values) is None
    assert statistics([wkb(1, 1.0, 2.0)], statistics=False) is None
    file = io.BytesIO()
    data = {"g": np.array([wkb(1, 1.0, 2.0)], object)}
    hp.write(file, data, types={"g": "geography"})
    told = hp.ParquetFile(file).row_groups[0].columns[0].meta_data.geospatial_statistics
    assert (told.bbox, told.geospatial_types) == (None, [1])


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=40) | st.just(wkb(5, wkb(2, (0, 1), (2, 3)))), max_size=4),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3),
)
def test_bytes_of_any_kind(run_kernel, values, changes):
    """Are never read beyond their ends."""
    offsets = np.cumsum([0, *map(len, values)]).astype("<i8")
    data = bytearray(b"".join(values))
    for at, byte in changes:
        if at < len(data):
            data[at] = byte
    source = offsets.tobytes() + bytes(data)
    start = offsets.nbytes

    def arguments(at, end, room):
        return at, len(values), at + start, end - at - start, room(KINDS + 8)

    answer, _ = run_kernel("bounds_of_geometries", source, arguments)
    assert answer <= 0
