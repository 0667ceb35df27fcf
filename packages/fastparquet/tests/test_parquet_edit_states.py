"""Any sequence of edits, some by writers that die, against a list of rows."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import pandas as pd
import pyarrow.parquet as pq
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from parquet_dying_folder import Death, DyingLocalFolder

import hocket.parquet as hp
from hocket.parquet.api import compact, update_file_custom_metadata, write
from hocket.parquet.dataset.edit import local_folder

_KEYS = st.lists(st.integers(0, 3) | st.none(), min_size=1, max_size=5)
_DEATHS = st.none() | st.integers(0, 50)


class _Edits(RuleBasedStateMachine):
    """A dataset, and the rows that it has."""

    def __init__(self):
        super().__init__()
        self.directory = tempfile.mkdtemp()
        self.root = f"{self.directory}/set"
        self.count = 0
        self.rows = []
        self.told = ""

    def teardown(self):
        shutil.rmtree(self.directory)

    @initialize(keys=_KEYS, write_metadata=st.sampled_from([None, False]))
    def begin(self, keys, write_metadata):
        self.options = {
            "file_scheme": "hive",
            "partition_on": ["key"],
            "write_metadata": write_metadata,
            "threads": 1,
        }
        frame, self.rows = self.new(keys)
        write(self.root, frame, **self.options)

    def new(self, keys):
        numbers = list(range(self.count, self.count + len(keys)))
        self.count += len(keys)
        frame = pd.DataFrame({"n": numbers, "key": pd.array(keys, dtype="Int64")})
        return frame, list(zip(keys, numbers, strict=True))

    def edit(self, change, rows, dies_at, told=None):
        """Edit by a writer that may die, and look at what is there then."""

        class Folder(DyingLocalFolder):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                self.dies_at = -1 if dies_at is None else dies_at

        after = sorted(rows, key=str), self.told if told is None else told
        with mock.patch.object(local_folder, "LocalFolder", Folder):
            try:
                change()
            except Death:
                now = self.read()
                assert now in ((sorted(self.rows, key=str), self.told), after)
                rows, self.told = now
            else:
                assert self.read() == after
                self.told = after[1]
        self.rows = list(rows)

    def read(self):
        file = hp.ParquetFile(self.root)
        frame = file.to_pandas()
        # With no file there is no directory that tells.
        keys = frame.get("key", [])
        keys = [None if pd.isna(key) else int(key) for key in keys]
        rows = list(zip(keys, frame["n"].tolist(), strict=True))
        return sorted(rows, key=str), file.key_value_metadata.get("told", "")

    @rule(keys=_KEYS, dies_at=_DEATHS)
    def append(self, keys, dies_at):
        frame, new = self.new(keys)
        if not self.rows:
            return
        self.edit(
            lambda: write(self.root, frame, append=True, **self.options), self.rows + new, dies_at
        )

    @rule(keys=_KEYS, dies_at=_DEATHS)
    def overwrite(self, keys, dies_at):
        frame, new = self.new(keys)
        kept = [row for row in self.rows if row[0] not in keys]
        self.edit(
            lambda: write(self.root, frame, append="overwrite", **self.options), kept + new, dies_at
        )

    @rule(keys=_KEYS, dies_at=_DEATHS)
    def write_anew(self, keys, dies_at):
        frame, new = self.new(keys)
        self.edit(lambda: write(self.root, frame, **self.options), new, dies_at, "")

    @rule(data=st.data(), dies_at=_DEATHS)
    def remove(self, data, dies_at):
        file = hp.ParquetFile(self.root)
        numbers = range(len(file))
        removed = data.draw(st.sets(st.sampled_from(numbers))) if numbers else set()
        if len(removed) == len(file):
            removed -= {0}
        gone = {n for number in removed for n in file[number].to_pandas()["n"]}
        kept = [row for row in self.rows if row[1] not in gone]
        keeps_summary = self.options["write_metadata"] is None
        self.edit(
            lambda: file.remove_row_groups(sorted(removed), write_fmd=keeps_summary), kept, dies_at
        )

    @rule(dies_at=_DEATHS)
    def compact(self, dies_at):
        self.edit(lambda: compact(self.root, threads=1), self.rows, dies_at)

    @rule(dies_at=_DEATHS, told=st.sampled_from(["a", "b"]))
    def tell(self, dies_at, told):
        if self.options["write_metadata"] is None:
            self.edit(
                lambda: update_file_custom_metadata(self.root, {"told": told}),
                self.rows,
                dies_at,
                told,
            )

    @invariant()
    def summary_and_files_agree(self):
        if self.count == 0:
            return
        assert self.read() == (sorted(self.rows, key=str), self.told)
        left = [path for path in Path(self.root).rglob("*") if "hocket" in path.name]
        if not left:
            files = list(Path(self.root).rglob("part.*"))
            assert sum(pq.read_metadata(path).num_rows for path in files) == len(self.rows)


_Edits.TestCase.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
test_any_edits = _Edits.TestCase
