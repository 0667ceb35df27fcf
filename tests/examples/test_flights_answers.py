"""The flights example's answers, without a cluster: they are right, and wrong ones are noticed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hocket.parquet as hp

pd = pytest.importorskip("pandas", reason="the flights example needs pandas")


def run(flights, client, dataset, **options):
    """Run the whole plan; return the futures that load and those that answer."""
    with hp.SharedWriter(dataset, partition_on="month") as writer:
        loading = flights.plan.load(client, writer, **options)
        writer.commit(client.gather(loading.pieces))
    return loading, flights.plan.answer(client, str(dataset), loading.tables)


@pytest.fixture(scope="module")
def year(flights, eager_client, tmp_path_factory):
    """Run the whole plan once."""
    client = eager_client()
    loading, answering = run(flights, client, tmp_path_factory.mktemp("year"))
    return loading, answering, client.tasks


def test_months_hold_every_flight_once(flights):
    csv = flights.data.unpack()
    months = [flights.data.read_month(csv, month) for month in range(1, 13)]
    assert [set(part["month"]) for part in months] == [{month} for month in range(1, 13)]
    assert sum(map(len, months)) == csv.count(b"\n") - 1 == 336_776


def test_month_that_is_not_there_is_an_error(flights):
    with pytest.raises(ValueError, match="not found"):
        flights.data.read_month(b"year,month,day\n2013,1,1\n", 2)


def test_a_month_is_the_same_when_it_is_read_from_its_file(flights, tmp_path):
    csv = flights.data.unpack()
    with hp.SharedWriter(tmp_path, partition_on="month") as writer:
        writer.commit([flights.data.write_month(csv, 2, writer)])
    (file,) = tmp_path.rglob("*.parquet")
    assert file.parent.name == "month=2"
    # A twelfth of 31 MB of text, before.
    assert file.stat().st_size < 250_000
    columns = flights.data.FLIGHT_COLUMNS
    read = hp.read(tmp_path, columns=columns, dtypes={"month": "int64"})
    pd.testing.assert_frame_equal(read, flights.data.read_month(csv, 2)[columns])


def test_answers_are_those_of_plain_pandas(flights, year):
    _, answering, _ = year
    answers = {name: future.value for name, future in answering.answers.items()}
    expected = flights.reference.compute(flights.data.folder())
    for name, answer in answers.items():
        assert flights.reference.differences(answer, expected[name]) == []
    assert answers.keys() == expected.keys() == {"carriers", "airports", "weather", "planes"}
    assert flights.reference.count_numbers(answers) > 300


def test_plan_is_a_tree_over_the_months(year):
    loading, answering, tasks = year
    assert (len(loading.tasks), len(answering.tasks), len(tasks)) == (17, 68, 85)
    assert tasks.count("write_month") == len(loading.pieces) == 12
    assert tasks.count("weather_partial") == 12
    # Twelve tables of sums become three, and those one, for each question.
    assert tasks.count("add_up") == 4 * (3 + 1)


def test_plan_of_one_month_adds_nothing_up(flights, eager_client, tmp_path):
    client = eager_client()
    _, answering = run(flights, client, tmp_path, months=[2])
    carriers = answering.answers["carriers"].value
    assert "add_up" not in client.tasks
    assert carriers["flights"].sum() == 24_951
    assert [name for name in carriers if name.startswith("month_")] == ["month_2"]


@given(
    parts=st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from("AB"), st.integers(0, 2)), st.integers(-5, 5), min_size=1
        ),
        min_size=1,
        max_size=5,
    )
)
def test_sums_of_months_are_added_row_by_row(flights, parts):
    tables = [
        pd.DataFrame({"n": list(part.values())}, index=pd.MultiIndex.from_tuples(part))
        for part in parts
    ]
    expected = Counter()
    for part in parts:
        expected.update(part)
    assert flights.questions.add_up(tables)["n"].to_dict() == dict(expected)


def table(**columns):
    return pd.DataFrame({"n": [1, 2], "mean": [0.5, float("nan")], "name": ["a", None], **columns})


def test_equal_tables_do_not_differ(flights):
    rounded = table(mean=[0.5 + 1e-15, float("nan")])
    assert flights.reference.differences(table(), rounded) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (table(n=[1, 3]), "n of 1 is 3 instead of 2"),
        (table(mean=[0.5001, float("nan")]), "mean of 0 is 0.5001 instead of 0.5"),
        (table(mean=[0.5, 1.0]), "mean of 1 is 1.0 instead of nan"),
        (table(name=["b", None]), "name of 0 is b instead of a"),
        (table(name=[None, None]), "name of 0 is None instead of a"),
        (table(more=[0, 0]), "it has the columns"),
        (table().iloc[:1], "it has the rows [0] instead of [0, 1]"),
        (table().iloc[::-1], "it has the rows [1, 0] instead of [0, 1]"),
    ],
)
def test_difference_is_told_with_its_place(flights, wrong, told):
    (difference,) = flights.reference.differences(wrong, table())
    assert told.replace("None", "nan") in difference.replace("None", "nan")
