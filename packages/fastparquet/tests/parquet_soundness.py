"""Whether a written file contradicts itself anywhere, as ``hocket-parquet verify`` sees it."""

from __future__ import annotations

from hocket.parquet.cli.verification import Verification
from hocket.parquet.dataset.data_file import Opener


def assert_sound(file, keys=None) -> None:
    """Read everything in a file: pages, checksums, statistics, indexes, Bloom filters."""
    verification = Verification(1, 1 << 30, lambda one: one.metadata.schema.leaves)
    opened = verification.open("written", file, Opener(keys=keys))
    assert verification.faults == []
    verification.check(opened, lambda _nbytes: lambda _done: None)
    assert [str(fault) for fault in verification.faults] == []
