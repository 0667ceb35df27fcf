"""Writers that are killed for good; ``tools/kill_parquet_writers.py`` does that at length."""

from __future__ import annotations

import random

from kill_parquet_writers import kill_writers


def test_killed_writers_leave_a_dataset_as_before_or_after(tmp_path):
    seed = random.randrange(1 << 30)
    outcome = kill_writers(tmp_path, 12, seed)
    assert outcome.killed == 12
