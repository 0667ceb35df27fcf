"""Files of one dataset whose flat columns differ: added, gone, elsewhere, wider."""

import datetime as dt
import decimal
import operator
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hocket.parquet as hp

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

Decimal = decimal.Decimal


def write(place, columns, **options) -> str:
    pq.write_table(pa.table(columns), place, **options)
    return str(place)


def arrays(kind, values):
    return pa.array(values, kind)


def integers(bits, *, signed=True):
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    # Integers that are no doubles have their own test.
    bound = 1 << 53
    return st.integers(max(low, -bound), min(high, bound))


def decimals(precision, scale):
    most = 10**precision - 1
    return st.integers(-most, most).map(
        lambda n: Decimal(n).scaleb(-scale, decimal.Context(prec=80))
    )


DATES = st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1))
TIMES = st.datetimes(
    dt.datetime.fromisoformat("1700-01-01"), dt.datetime.fromisoformat("2200-01-01")
)
MILLIS = TIMES.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
#: Families of types of which each two have a type that holds both, with values of each.
FAMILIES = {
    "numbers": {
        pa.int8(): integers(8),
        pa.int16(): integers(16),
        pa.int32(): integers(32),
        pa.int64(): integers(64),
        pa.uint8(): integers(8, signed=False),
        pa.uint16(): integers(16, signed=False),
        pa.uint32(): integers(32, signed=False),
        pa.float32(): st.floats(width=32, allow_nan=False),
        pa.float64(): st.floats(allow_nan=False),
    },
    "decimals": {
        pa.int8(): integers(8),
        pa.int64(): integers(64),
        pa.uint32(): integers(32, signed=False),
        pa.decimal128(4, 1): decimals(4, 1),
        pa.decimal128(9, 9): decimals(9, 9),
        pa.decimal128(18, 0): decimals(18, 0),
        pa.decimal128(30, 7): decimals(30, 7),
        pa.decimal256(50, 3): decimals(50, 3),
    },
    "times": {
        pa.date32(): DATES,
        pa.timestamp("ms"): MILLIS,
        pa.timestamp("us"): TIMES,
        pa.timestamp("ns"): TIMES,
    },
    "text": {
        pa.string(): st.text(max_size=4),
        pa.large_string(): st.text(max_size=4),
        pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["a", "b", "é"]),
    },
    "bytes": {
        pa.binary(): st.binary(max_size=4),
        pa.binary(3): st.binary(min_size=3, max_size=3),
        pa.string(): st.text(max_size=4),
    },
    "booleans": {pa.bool_(): st.booleans()},
}  # fmt: skip


@st.composite
def datasets(draw):
    """Draw a family for each column, and files with some of the columns in some order."""
    families = {name: draw(st.sampled_from(sorted(FAMILIES))) for name in "abcd"}
    files = []
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.integers(0, 9))
        columns = {"id": (pa.int64(), list(range(100, 100 + rows)), False)}
        for name in draw(st.permutations("abcd"))[: draw(st.integers(0, 4))]:
            kinds = {pa.null(): st.none()} | FAMILIES[families[name]]
            kind = draw(st.sampled_from(list(kinds)))
            optional = draw(st.booleans()) or kind == pa.null()
            values = kinds[kind] | st.none() if optional else kinds[kind]
            drawn = draw(st.lists(values, min_size=rows, max_size=rows))
            columns[name] = (kind, drawn, optional)
        options = {
            "row_group_size": draw(st.sampled_from([1, 4, 100])),
            "use_dictionary": draw(st.booleans()),
            "data_page_version": draw(st.sampled_from(["1.0", "2.0"])),
            "write_page_index": draw(st.booleans()),
        }
        files.append((columns, options))
    return files


def written(root: Path, files) -> list[str]:
    places = []
    for number, (columns, options) in enumerate(files):
        schema = pa.schema(
            [pa.field(name, kind, nullable=null) for name, (kind, _, null) in columns.items()]
        )
        data = [pa.array(values, kind) for kind, values, _ in columns.values()]
        place = root / f"{number}.parquet"
        pq.write_table(pa.table(data, schema=schema), place, **options)
        places.append(str(place))
    return places


def modelled(files) -> pd.DataFrame:
    """Return the values of all files as Python objects."""
    names = list(dict.fromkeys(name for columns, _ in files for name in columns))
    pieces = [
        pd.DataFrame(
            {
                name: pd.Series(
                    columns[name][1] if name in columns else [None] * rows, dtype=object
                )
                for name in names
            }
        )
        for columns, _ in files
        for rows in [len(columns["id"][1])]
    ]
    return pd.concat(pieces, ignore_index=True).astype(object)


def comparable(value):
    """Return a value as what it is equal to, whatever type holds it."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if value != value:  # noqa: PLR0124  NaN and NaT are not
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(value.isoformat())
    return value


def listed(array) -> list:
    """Return the items of an array, None for those that are masked."""
    mask = np.ma.getmaskarray(array)
    return [None if gone else each for each, gone in zip(np.ma.getdata(array), mask, strict=True)]


def same(found, expected) -> None:
    assert [comparable(each) for each in found] == [comparable(each) for each in expected]


@pytest.mark.slow
@given(datasets(), st.data())
@settings(max_examples=25)
def test_any_files_make_one_dataset(files, data):
    with tempfile.TemporaryDirectory() as root:
        check(files, Path(root), data)


def check(files, root: Path, data) -> None:
    expected = modelled(files)
    opened = hp.ParquetFile(written(root, files))
    assert sorted(opened.columns) == sorted(expected.columns)
    assert opened.count() == len(expected)
    frame, table, numpy = opened.to_pandas(), opened.to_arrow().to_pyarrow(), opened.to_numpy()
    table.validate(full=True)
    for name in expected:
        same(frame[name].tolist(), expected[name])
        same(table[name].to_pylist(), expected[name])
        same(listed(numpy[name]), expected[name])
    assert opened.dtypes == frame.dtypes.to_dict()
    names = data.draw(st.lists(st.sampled_from(list(expected.columns)), unique=True, min_size=1))
    assert list(opened.to_pandas(columns=names).columns) == names
    pd.testing.assert_frame_equal(opened.to_pandas(columns=names), frame[names])
    again = pickle.loads(pickle.dumps(opened))
    pd.testing.assert_frame_equal(again.to_pandas(), frame)
    parts = [pickle.loads(pickle.dumps(part)) for part in opened.parts(rows=5)]
    pieces = [part.to_pandas() for part in parts]
    groups = list(opened.iter_row_groups())
    for name in expected:
        same([each for piece in pieces for each in piece[name]], expected[name])
        same([each for piece in groups for each in piece[name]], expected[name])
    count = data.draw(st.integers(0, len(expected) + 1))
    same(opened.head(count)["id"].tolist(), expected["id"][:count])
    check_filters(opened, expected, data)


_COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def check_filters(opened, expected, data) -> None:
    name = data.draw(st.sampled_from(list(expected.columns)))
    values = [each for each in expected[name] if each is not None]
    wanted = data.draw(
        st.sampled_from(["is null", "is not null", *(_COMPARISONS if values else ())])
    )
    if wanted in _COMPARISONS:
        value = data.draw(st.sampled_from(values))
        holds = _COMPARISONS[wanted]
        mask = [
            each is not None and holds(comparable(each), comparable(value))
            for each in expected[name]
        ]
        filters = [(name, wanted, value)]
    else:
        mask = [(each is None) == (wanted == "is null") for each in expected[name]]
        filters = [(name, wanted)]
    rows = expected[np.array(mask, bool)]
    assert opened.count(filters) == len(rows)
    for column in {name, "id"}:
        same(opened.to_pandas(filters=filters)[column].tolist(), rows[column])
        same(opened.to_arrow(filters=filters).to_pyarrow()[column].to_pylist(), rows[column])
    later = [[*filters, ("id", ">", 102)], [("id", "==", 101)]]
    kept = (np.array(mask, bool) & (expected["id"] > 102)) | (expected["id"] == 101)
    same(opened.to_pandas(filters=later)["id"].tolist(), expected["id"][kept.astype(bool)])


@pytest.mark.slow
@given(datasets())
@settings(max_examples=20)
def test_arrow_unifies_schemas_in_the_same_way_where_it_can(files):
    with tempfile.TemporaryDirectory() as root:
        places = written(Path(root), files)
        ours = hp.ParquetFile(places).to_arrow(dictionaries=()).to_pyarrow()
        tables = [pq.ParquetFile(place).read() for place in places]
        plain = [table.cast(pa.schema([_plain(each) for each in table.schema])) for table in tables]
        try:
            theirs = pa.concat_tables(plain, promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            return
        for name in theirs.column_names:
            same(ours[name].to_pylist(), theirs[name].to_pylist())


def _plain(field):
    kind = field.type
    return field.with_type(pa.string() if pa.types.is_dictionary(kind) else kind)
