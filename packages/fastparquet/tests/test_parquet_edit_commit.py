"""The record of an edit: what it says, what it may not say, and what a reader makes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.dataset.commit import (
    RECORD,
    STAGING,
    Commit,
    bytes_of_commit,
    needs_record,
    parse_commit,
    view,
)
from hocket.parquet.errors import CorruptFile

_NAMES = ["part.0.parquet", "part.1.parquet", "k=1/part.0.parquet", "k=2/x/y.parq", "_metadata"]
_STAGED = [f"{STAGING}/5-6-host-ab/{number}" for number in range(4)]


@st.composite
def _commits(draw):
    targets = draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=4))
    removals = draw(st.lists(st.sampled_from(_NAMES), unique=True))
    renames = tuple(zip(_STAGED, targets, strict=False))
    return Commit(renames, tuple(name for name in removals if name not in targets))


def _done(commit, files, steps):
    """Return files after some of the steps of a commit."""
    files = dict(files)
    for source, target in commit.renames[:steps]:
        files[target] = files.pop(source)
    for name in commit.removals[: max(steps - len(commit.renames), 0)]:
        files.pop(name, None)
    return files


@given(_commits(), st.sets(st.sampled_from(_NAMES)), st.integers(0, 9))
def test_a_reader_sees_the_edit_done_however_much_of_it_is(commit, names, steps):
    before = {name: f"old {name}" for name in names}
    before |= {source: f"new {target}" for source, target in commit.renames}
    whole = _done(commit, before, len(commit.renames) + len(commit.removals))
    part = _done(commit, before, steps)
    seen = view(commit, part, part)
    assert {name: part[at] for name, at in seen.items()} == whole


@given(_commits())
def test_what_is_written_is_read(commit):
    assert parse_commit(bytes_of_commit(commit), "record") == commit


@given(_commits(), st.integers(0, 200), st.integers(0, 255))
def test_damaged_records_are_refused_or_name_files_below(commit, at, byte):
    raw = bytearray(bytes_of_commit(commit))
    raw[at % len(raw)] = byte
    try:
        read = parse_commit(bytes(raw), "record")
    except CorruptFile:
        return
    for name in [*(target for _, target in read.renames), *read.removals]:
        assert ".." not in name.split("/")
        assert not name.startswith("/")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../other",
        "a/../../b",
        "a//b",
        "./a",
        "",
        "a/",
        "C:/x",
        "c:x",
        "a\\b",
        "s3://bucket/key",
        "a\0b",
        RECORD,
        f"{STAGING}/x/1",
        "\ud800",
    ],
)
def test_no_name_leads_out_of_the_dataset(name):
    for document in (
        {"version": 1, "rename": [], "remove": [name]},
        {"version": 1, "rename": [[_STAGED[0], name]], "remove": []},
    ):
        with pytest.raises(CorruptFile, match="record"):
            parse_commit(json.dumps(document).encode(), "record")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"version": 2, "rename": [], "remove": []},
        {"version": 1, "rename": [], "remove": None},
        {"version": 1, "rename": {}, "remove": []},
        {"version": 1, "rename": [["a"]], "remove": []},
        {"version": 1, "rename": [["a", "b"]], "remove": []},
        {"version": 1, "rename": [[f"{STAGING}/../1", "b"]], "remove": []},
        {"version": 1, "rename": [[_STAGED[0], 5]], "remove": []},
        {"version": 1, "rename": [[_STAGED[0], "b"], [_STAGED[0], "c"]], "remove": []},
        {"version": 1, "rename": [[_STAGED[0], "b"], [_STAGED[1], "b"]], "remove": []},
        {"version": 1, "rename": [[_STAGED[0], "b"]], "remove": ["b"]},
        {"version": 1, "rename": [], "remove": ["b", "b"]},
    ],
)
def test_records_of_another_form_are_refused(document):
    with pytest.raises(CorruptFile, match="record"):
        parse_commit(json.dumps(document).encode(), "record")


def test_deep_and_endless_records_are_refused():
    with pytest.raises(CorruptFile, match="JSON"):
        parse_commit(b"[" * 200_000, "record")
    with pytest.raises(CorruptFile, match="JSON"):
        parse_commit(b"\xff\xfe", "record")


def test_one_step_needs_no_record():
    assert not needs_record(Commit((("a", "b"),)))
    assert not needs_record(Commit((), ("b",)))
    assert needs_record(Commit((("a", "b"),), ("c",)))
