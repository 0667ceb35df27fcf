"""Files of one dataset whose lists, maps and structs differ."""

import datetime as dt
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hocket.parquet as hp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BEGIN = dt.datetime.fromisoformat("2026-01-01")
#: Leaves: a wide type, what may stand for it in a file, and values that all of them hold.
LEAVES = [
    (pa.int64(), [pa.int8(), pa.int16(), pa.uint8(), pa.int64()], st.integers(0, 100)),
    (pa.float64(), [pa.float32(), pa.float64()], st.integers(-8, 8).map(float)),
    (pa.string(), [pa.string(), pa.large_string()], st.text(max_size=3)),
    (pa.bool_(), [pa.bool_()], st.booleans()),
    (
        pa.timestamp("us"),
        [pa.timestamp("ms"), pa.timestamp("us")],
        st.integers(0, 99).map(lambda n: BEGIN + dt.timedelta(hours=n)),
    ),
]


class Leaf:
    def __init__(self, number):
        self.wide, self.narrow, self.values = LEAVES[number]


class List:
    def __init__(self, element):
        self.element = element


class Map:
    def __init__(self, value):
        self.value = value


class Struct:
    def __init__(self, members):
        self.members = members


def trees(depth):
    leaf = st.integers(0, len(LEAVES) - 1).map(Leaf)
    if not depth:
        return leaf
    inner = trees(depth - 1)
    members = st.lists(inner, min_size=1, max_size=4)
    struct = members.map(lambda each: Struct(dict(zip("abcd", each, strict=False))))
    return st.one_of(leaf, struct, struct, inner.map(List), inner.map(Map))


@st.composite
def variants(draw, tree, *, may_vanish=True):
    """Draw an Arrow type that a file may have for a tree, and what makes its values."""
    if may_vanish and draw(st.integers(0, 9)) == 0:
        return pa.null(), st.none()
    if isinstance(tree, Leaf):
        return draw(st.sampled_from(tree.narrow)), tree.values
    if isinstance(tree, List):
        kind, values = draw(variants(tree.element))
        null = draw(st.booleans()) or kind == pa.null()
        inner = values | st.none() if null else values
        return pa.list_(pa.field("item", kind, nullable=null)), st.lists(inner, max_size=3)
    if isinstance(tree, Map):
        kind, values = draw(variants(tree.value))
        pairs = st.dictionaries(st.text(max_size=2), values | st.none(), max_size=2)
        return pa.map_(pa.string(), kind), pairs.map(lambda each: list(each.items()))
    fields, makers = [], {}
    names = draw(st.permutations(list(tree.members)))
    for name in names[: draw(st.integers(1, len(names)))]:
        kind, values = draw(variants(tree.members[name]))
        null = draw(st.booleans()) or kind == pa.null()
        fields.append(pa.field(name, kind, nullable=null))
        makers[name] = values | st.none() if null else values
    return pa.struct(fields), st.fixed_dictionaries(makers)


def whole(tree, value, present):
    """Return a value with all members that any file has, missing ones as None."""
    if value is None:
        return None
    if isinstance(tree, List):
        return [whole(tree.element, each, present.get("element", {})) for each in value]
    if isinstance(tree, Map):
        inner = present.get("value", {})
        return [(key, whole(tree.value, each, inner)) for key, each in value]
    if isinstance(tree, Struct):
        return {
            name: whole(tree.members[name], value.get(name), inner)
            for name, inner in present.items()
        }
    return value


def as_objects(tree, value):
    """Return a value with dictionaries for maps."""
    if value is None or isinstance(tree, Leaf):
        return value
    if isinstance(tree, List):
        return [as_objects(tree.element, each) for each in value]
    if isinstance(tree, Map):
        return {key: as_objects(tree.value, each) for key, each in value}
    return {name: as_objects(tree.members[name], each) for name, each in value.items()}


def join(tree, kind, present) -> None:
    """Note which members a type has."""
    if isinstance(tree, List) and pa.types.is_list(kind):
        join(tree.element, kind.value_type, present.setdefault("element", {}))
    elif isinstance(tree, Map) and pa.types.is_map(kind):
        join(tree.value, kind.item_type, present.setdefault("value", {}))
    elif isinstance(tree, Struct) and pa.types.is_struct(kind):
        for field in kind:
            join(tree.members[field.name], field.type, present.setdefault(field.name, {}))


@st.composite
def datasets(draw):
    tree = draw(trees(3))
    files = []
    for _ in range(draw(st.integers(1, 3))):
        kind, values = draw(variants(tree))
        rows = draw(st.lists(values | st.none(), max_size=5))
        is_there = draw(st.integers(0, 5)) > 0
        files.append((kind, rows, is_there))
    return tree, files


def in_order(value):
    """Return a value whose dictionaries have their keys in order."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return type(value)(in_order(each) for each in value)
    return value


def plain(value):
    """Return what NumPy's objects and Arrow's have in common."""
    if isinstance(value, np.datetime64) or hasattr(value, "to_pydatetime"):
        return (
            value.astype("M8[us]").item()
            if isinstance(value, np.generic)
            else value.to_pydatetime()
        )
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(each) for each in value]
    return value


@pytest.mark.slow
@given(datasets(), st.data())
@settings(max_examples=60)
def test_any_nested_files_make_one_dataset(drawn, data):
    tree, files = drawn
    with tempfile.TemporaryDirectory() as root:
        places, expected, present, is_known = [], [], {}, False
        for number, (kind, rows, is_there) in enumerate(files):
            columns = {"id": pa.array(range(len(rows)), pa.int64())}
            if is_there:
                columns["x"] = pa.array(rows, kind)
                join(tree, kind, present)
                is_known = True
            places.append(str(Path(root) / f"{number}.parquet"))
            pq.write_table(pa.table(columns), places[-1], row_group_size=2)
            expected += rows if is_there else [None] * len(rows)
        opened = hp.ParquetFile(places)
        assert ("x" in opened.columns) == is_known
        if not is_known:
            return
        table = opened.to_arrow().to_pyarrow()
        table.validate(full=True)
        values = [in_order(whole(tree, each, present)) for each in expected]
        assert [in_order(each) for each in table["x"].to_pylist()] == values
        objects = opened.to_numpy()["x"]
        if not isinstance(tree, Leaf):
            expected = [plain(as_objects(tree, each)) for each in values]
            assert [plain(each) for each in objects] == expected
        some = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
        kept = opened.to_arrow(row_filter=np.array(some, bool)).to_pyarrow()["x"].to_pylist()
        assert [in_order(each) for each in kept] == [
            each for each, wanted in zip(values, some, strict=True) if wanted
        ]
        if isinstance(tree, Struct) and present:
            name = data.draw(st.sampled_from(sorted(present)))
            part = opened.to_arrow([f"x.{name}"]).to_pyarrow()["x"].to_pylist()
            assert [in_order(each) for each in part] == [
                None if each is None else {name: each[name]} for each in values
            ]
