"""``verify``: reads everything, and tells each place that is damaged."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from hocket.parquet.cli.keys import keys_of
from hocket.parquet.cli.opened import chosen_leaves, opening
from hocket.parquet.cli.output import Output, count_of, nbytes_of, number_of, printable
from hocket.parquet.cli.verification import Advance, Totals, Verification
from hocket.parquet.dataset.collection import open_collection
from hocket.parquet.dataset.data_file import DataFile, Opener
from hocket.parquet.dataset.discovery import Found, discover
from hocket.parquet.dataset.progress import ProgressMeter, TextProgress
from hocket.parquet.errors import CorruptFile, ParquetError
from hocket.parquet.metadata.schema import SchemaNode
from hocket.parquet.options import available_memory_nbytes, thread_count
from hocket.parquet.records import dataclass, fields

__all__ = ["run"]


@dataclass(frozen=True, slots=True)
class _Member:
    """A file to verify.

    Parameters
    ----------
    place
        What to open.
    is_named
        Whether the arguments name it; otherwise a directory, pattern or ``_metadata`` does.
    rows
        What ``_metadata`` says of its row groups, if there is one.
    """

    place: Any
    is_named: bool = False
    rows: list[int] | None = None


def run(options: Namespace, output: Output) -> int:
    """Read files, tell what is wrong with them; return the exit code."""
    began_s = time.perf_counter()

    def leaves_of(file: DataFile) -> list[SchemaNode]:
        return chosen_leaves(options, file.metadata.schema)

    verification = Verification(
        threads=thread_count(options.threads),
        limit_nbytes=available_memory_nbytes(None),
        choose_leaves=leaves_of,
        row_group=options.row_group,
    )
    keys = keys_of(options)
    told = 0
    missing = False
    for named in options.files:
        try:
            with opening():
                found = discover(named)
            opener = Opener(found.filesystem, keys=keys)
            for member in _members(found, opener, verification):
                _verify(member, opener, verification)
                told = _tell_faults(verification, told, None if options.json else output)
        except OSError as error:
            missing = True
            what = f"{error.filename or named}: {error.strerror or error}"
            Output(sys.stderr, 0).line(printable(f"{options.program}: {what}"))
        told = _tell_faults(verification, told, None if options.json else output)
    elapsed_s = time.perf_counter() - began_s
    faults, totals = verification.faults, verification.totals
    if options.json:
        made = {"ok": not faults and not missing, "faults": list(map(_fault, faults))}
        output.json(
            {
                **made,
                **{each.name: getattr(totals, each.name) for each in fields(totals)},
                "elapsed_s": round(elapsed_s, 3),
            }
        )
    elif faults or totals.files:
        output.line(_summary(len(faults), totals, elapsed_s))
    if missing:
        return 2
    return 1 if faults else 0


def _members(found: Found, opener: Opener, verification: Verification) -> Iterator[_Member]:
    if found.metadata is None:
        yield from (_Member(place, found.is_single) for place in found.places)
        return
    try:
        collection = open_collection(found.metadata, opener)
    except ParquetError as error:
        verification.faults.append(error.located(file=found.metadata))
        return
    if not any(file.name for file in collection.files):
        # It has all row groups itself, or there are none.
        yield _Member(found.metadata, is_named=True)
    for number, file in enumerate(collection.files):
        if file.name:
            rows = [
                int(file.metadata.row_group_rows[group.index])
                for group in collection.groups
                if group.file == number
            ]
            yield _Member(file.place, rows=rows)


def _verify(member: _Member, opener: Opener, verification: Verification) -> None:
    name = str(member.place)
    try:
        file = verification.open(name, member.place, opener)
    except OSError as error:
        if member.is_named:
            raise
        what = f"the file cannot be opened: {error.strerror or error}"
        verification.faults.append(CorruptFile(what, file=name))
        return
    if file is None:
        return
    rows = file.metadata.row_group_rows.tolist()
    if member.rows is not None and member.rows != rows:
        what = (
            f"its row groups have {_few(rows)} rows, and the dataset's _metadata says "
            f"{_few(member.rows)}: that is of another version of the file"
        )
        verification.faults.append(CorruptFile(what, file=name))
    try:
        verification.check(file, _progress)
    except OSError as error:
        what = f"the file cannot be read: {error.strerror or error}"
        verification.faults.append(CorruptFile(what, file=name))
    finally:
        file.close()


def _progress(total_nbytes: int) -> Advance:
    shown = TextProgress() if sys.stderr.isatty() and sys.stdout.isatty() else None
    return ProgressMeter(shown, total_nbytes).advance


def _few(numbers: list[int]) -> str:
    told = ", ".join(map(count_of, numbers[:5])) or "no"
    return f"{told}, ..." if len(numbers) > 5 else told


# ------------------------------------------------------------------------------------ telling


def _tell_faults(verification: Verification, told: int, output: Output | None) -> int:
    """Write the faults that were not told yet; return how many are told now."""
    if output is not None:
        for error in verification.faults[told:]:
            output.line(printable(str(error)))
        output.flush()
    return len(verification.faults)


def _fault(error: ParquetError) -> dict[str, Any]:
    return {
        "file": error.file,
        "row_group": error.row_group,
        "column": error.column,
        "page": error.page,
        "offset": error.offset,
        "kind": type(error).__name__,
        "reason": error.reason,
    }


def _summary(faults: int, totals: Totals, elapsed_s: float) -> str:
    verdict = "all right" if not faults else number_of(faults, "fault")
    parts = [
        number_of(totals.files, "file"),
        number_of(totals.row_groups, "row group"),
        number_of(totals.chunks, "column chunk"),
        number_of(totals.pages, "page"),
    ]
    if totals.indexes:
        parts.append(number_of(totals.indexes, "index"))
    if totals.bloom_filters:
        parts.append(number_of(totals.bloom_filters, "Bloom filter"))
    words = f"{verdict}: {', '.join(parts)}, {nbytes_of(totals.nbytes)} in {elapsed_s:.1f} s"
    if totals.pages and not totals.checksums:
        return f"{words}; no page has a checksum"
    if totals.checksums < totals.pages:
        return f"{words}; {number_of(totals.checksums, 'page')} with checksums"
    return words
