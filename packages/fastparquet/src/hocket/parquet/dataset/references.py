"""Datasets by reference: what another process needs to have the same one, opened there once.

A dataset that is pickled as it is takes all its footers along. A reference takes the paths of its
files and a digest of each footer; small footers of files far away go along as well, since reading
them again would cost a request. Who gets a reference finds the dataset among those that its process
has open, or opens it then, and refuses files that are not the same any more.
"""

from __future__ import annotations

import os
import pickle
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from hocket.parquet.dataset.agreement import Agreement
from hocket.parquet.dataset.collection import FOOTER_THREADS, Collection, RowGroupPlace
from hocket.parquet.dataset.data_file import DataFile, Opener, read_file
from hocket.parquet.dataset.discovery import Found, name_below
from hocket.parquet.dataset.partitions import Partition
from hocket.parquet.errors import CorruptFile
from hocket.parquet.io.buffers import padded_copy
from hocket.parquet.io.paths import is_url
from hocket.parquet.metadata.footer import FileMetadata, parse_footer
from hocket.parquet.pool import run_tasks
from hocket.parquet.records import dataclass, replace

__all__ = ["CollectionReference", "refer"]

#: Footers up to this size go along, where reading them again takes a request.
_INLINE_NBYTES_MAX: Final = 16 << 10
#: Datasets that stay open in a process, and what their footers may take together.
_KEPT_MAX: Final = 64
_KEPT_NBYTES_MAX: Final = 256 << 20
#: Of a partition with more values than this, some files of the dataset know their own only.
_VALUES_MAX: Final = 1000
#: Longer references are compressed.
_PLAIN_NBYTES_MAX: Final = 2048
_PROTOCOL: Final = 5


class _Footer(NamedTuple):
    """A footer, and where it is found again."""

    name: str
    place: str
    #: Size of the file that it is the footer of; None for ``_metadata``.
    file_nbytes: int | None
    digest: bytes
    data: bytes | None


class _File(NamedTuple):
    """A file with column chunks, and the number of the footer that describes it."""

    name: str
    place: str
    footer: int
    is_own_footer: bool


class _Run(NamedTuple):
    """Row groups that follow each other in one file."""

    file: int
    first: int
    length: int


class _Body(NamedTuple):
    """What a reference says."""

    footers: list[_Footer]
    #: The number of the footer that speaks for all.
    summary: int
    files: list[_File]
    runs: list[_Run]
    root: str
    metadata: str | None
    is_single: bool
    partitions: list[Partition]
    scheme: str
    #: What the files have in common with all others, if these have several schemas.
    agreement: Agreement | None
    #: Whether these are all files of the dataset.
    is_whole: bool


@dataclass(frozen=True, slots=True)
class CollectionReference:
    """Files of a dataset, by reference.

    Parameters
    ----------
    opener
        How they are opened.
    body
        What they are, as bytes: the same for all references to the same files.
    """

    opener: Opener
    body: bytes

    def opened(self) -> Collection:
        """Return the files, opened in this process if they are not yet."""
        with _lock:
            entry = _entries.get(self.body)
            if entry is None or entry.opener != self.opener:
                entry = _entries[self.body] = _Entry(self.opener)
            _entries.move_to_end(self.body)
        with entry.lock:
            if entry.collection is None:
                entry.collection = _restore(_unpacked(self.body), self.opener)
                entry.nbytes = _nbytes_of(entry.collection)
        _evict()
        return entry.collection


# ------------------------------------------------------------------------------------- referring


class _Known:
    """What was told of a dataset already, so that its parts share it."""

    def __init__(self, collection: Collection) -> None:
        self.groups: list[list[int]] = [[] for _ in collection.files]
        for number, place in enumerate(collection.groups):
            self.groups[place.file].append(number)
        #: By the numbers of files: their reference, and the number in it of each row group.
        self.references: dict[tuple[int, ...], tuple[CollectionReference, dict[int, int]]] = {}


_known: WeakKeyDictionary[Collection, _Known] = WeakKeyDictionary()


def refer(
    collection: Collection, groups: Sequence[int]
) -> tuple[CollectionReference, tuple[int, ...]] | None:
    """Return a reference to the files of some row groups, and the numbers of these in it.

    Parameters
    ----------
    collection
        The files.
    groups
        The row groups.

    Returns
    -------
    tuple or None
        None if the files cannot be found again: they were not all opened by path, in one way.
    """
    known = _known.get(collection)
    if known is None:
        known = _known[collection] = _Known(collection)
    files = tuple(sorted({collection.groups[at].file for at in groups}))
    if not files:
        # Something has to tell the schema.
        files = (0,) if collection.files else ()
    found = known.references.get(files)
    if found is None:
        reference = _reference(collection, files, known)
        if reference is None:
            return None
        here = sorted(at for file in files for at in known.groups[file])
        found = reference, {at: number for number, at in enumerate(here)}
        known.references[files] = found
    reference, number_of = found
    return reference, tuple(number_of[at] for at in groups)


def _reference(
    collection: Collection, chosen: Sequence[int], known: _Known
) -> CollectionReference | None:
    files = [collection.files[number] for number in chosen]
    if not files or any(
        not isinstance(file.place, str) or file.opener is not files[0].opener for file in files
    ):
        return None
    opener = files[0].opener
    footers = _Footers(collection, opener)
    described = [
        _File(
            file.name,
            _lasting(file.place, opener),
            footers.of_file(file),
            file.own_nbytes is not None,
        )
        for file in files
    ]
    summary = footers.of_summary()
    if summary < 0 or any(file.footer < 0 for file in described):
        return None
    is_whole = collection.is_whole and len(files) == len(collection.files)
    body = _Body(
        footers.found,
        summary,
        described,
        _runs(collection, chosen, known),
        collection.found.root,
        collection.found.metadata,
        collection.found.is_single,
        [_of_files(each, chosen, is_whole=is_whole) for each in collection.partitions],
        collection.scheme,
        collection.agreement,
        is_whole,
    )
    return CollectionReference(opener, _packed(body))


def _packed(body: _Body) -> bytes:
    data = pickle.dumps(body, _PROTOCOL)
    return zlib.compress(data, 1) if len(data) > _PLAIN_NBYTES_MAX else data


def _unpacked(data: bytes) -> _Body:
    plain = data if data.startswith(pickle.PROTO) else zlib.decompress(data)
    body: _Body = pickle.loads(plain)
    return body


class _Footers:
    """The footers that a reference names, each once."""

    def __init__(self, collection: Collection, opener: Opener) -> None:
        self.found: list[_Footer] = []
        self._collection = collection
        self._opener = opener
        self._numbers: dict[str, int] = {}

    def of_file(self, file: DataFile) -> int:
        """Return the number of the footer that describes a file; -1 if it is not known."""
        if file.own_nbytes is None:
            return self.of_summary() if file.metadata is self._collection.summary else -1
        return self._number(file.name, file.place, file.own_nbytes, file.metadata)

    def of_summary(self) -> int:
        """Return the number of the footer that speaks for all; -1 if it is not known."""
        summary, place = self._collection.summary, self._collection.found.metadata
        for file in self._collection.files:
            if file.metadata is summary and file.own_nbytes is not None:
                return self.of_file(file)
        if place is None:
            return -1
        # An edit that is not finished may have it elsewhere.
        found = self._collection.found
        moved = found.moved.get(name_below(place, found.root), place)
        return self._number(place, moved, None, summary)

    def _number(
        self, name: str, place: str, file_nbytes: int | None, metadata: FileMetadata
    ) -> int:
        if place not in self._numbers:
            self._numbers[place] = len(self.found)
            self.found.append(self._describe(name, place, file_nbytes, metadata))
        return self._numbers[place]

    def _describe(
        self, name: str, place: str, file_nbytes: int | None, metadata: FileMetadata
    ) -> _Footer:
        goes_along = (
            _is_far(place, self._opener)
            and metadata.nbytes <= _INLINE_NBYTES_MAX
            and self._opener.keys is None
        )
        data = metadata.data[: metadata.nbytes].tobytes() if goes_along else None
        return _Footer(name, _lasting(place, self._opener), file_nbytes, metadata.digest, data)


def _is_far(place: str, opener: Opener) -> bool:
    """Tell whether a file may be elsewhere, so that each read of it is a request."""
    return opener.filesystem is not None or opener.open_with is not None or is_url(place)


def _lasting(place: str, opener: Opener) -> str:
    """Return a path that means the same in another directory."""
    return place if _is_far(place, opener) else str(Path(place).absolute())


def _runs(collection: Collection, chosen: Sequence[int], known: _Known) -> list[_Run]:
    file_of = {number: at for at, number in enumerate(chosen)}
    runs: list[_Run] = []
    for number in sorted(at for file in chosen for at in known.groups[file]):
        place = collection.groups[number]
        file = file_of[place.file]
        if runs and runs[-1].file == file and runs[-1].first + runs[-1].length == place.index:
            runs[-1] = runs[-1]._replace(length=runs[-1].length + 1)
        else:
            runs.append(_Run(file, place.index, 1))
    return runs


def _of_files(partition: Partition, chosen: Sequence[int], *, is_whole: bool) -> Partition:
    codes = tuple(partition.codes[number] for number in chosen)
    if is_whole or len(partition.values) <= _VALUES_MAX:
        return replace(partition, codes=codes)
    own = sorted(set(codes) - {-1})
    code_of = {code: at for at, code in enumerate(own)} | {-1: -1}
    return replace(
        partition,
        values=partition.values[own],
        codes=tuple(code_of[code] for code in codes),
    )


# --------------------------------------------------------------------------------------- opening


class _Entry:
    """A dataset that is open in this process, or is being opened."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.lock = threading.Lock()
        self.collection: Collection | None = None
        self.nbytes = 0


_lock = threading.Lock()
#: By the bodies of references, what was used last at the end.
_entries: OrderedDict[bytes, _Entry] = OrderedDict()
#: What footers say, by their digests.
_footers: WeakValueDictionary[bytes, FileMetadata] = WeakValueDictionary()


def _forget() -> None:
    """Begin anew in the child of a fork: a thread that is not there may hold a lock."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _entries.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _evict() -> None:
    """Let go of what was not used for longest. Who still has it keeps it."""
    with _lock:
        nbytes = sum(entry.nbytes for entry in _entries.values())
        while len(_entries) > 1 and (len(_entries) > _KEPT_MAX or nbytes > _KEPT_NBYTES_MAX):
            _, entry = _entries.popitem(last=False)
            nbytes -= entry.nbytes


def _nbytes_of(collection: Collection) -> int:
    every = {id(file.metadata): file.metadata for file in collection.files}
    return sum(each.nbytes + each.chunks.table.nbytes for each in every.values())


def _restore(body: _Body, opener: Opener) -> Collection:
    read: list[DataFile | None] = [None] * len(body.footers)

    def reader(number: int) -> Callable[[], None]:
        def task() -> None:
            read[number] = _file_of_footer(body.footers[number], opener)

        return task

    run_tasks([reader(number) for number in range(len(read))], FOOTER_THREADS)
    known = [file for file in read if file is not None]
    files = [
        known[file.footer]
        if file.is_own_footer
        else DataFile(file.name, file.place, opener, known[file.footer].metadata)
        for file in body.files
    ]
    groups = [
        RowGroupPlace(run.file, index)
        for run in body.runs
        for index in range(run.first, run.first + run.length)
    ]
    found = Found(
        [file.place for file in body.files],
        [file.name for file in body.files],
        body.root,
        body.metadata,
        is_single=body.is_single,
        filesystem=opener.filesystem,
    )
    summary = known[body.summary].metadata
    collection = Collection(
        files, groups, summary, found, body.partitions, body.scheme, body.agreement
    )
    collection.is_whole = body.is_whole
    return collection


def _file_of_footer(footer: _Footer, opener: Opener) -> DataFile:
    """Return the file that a footer is of, with what the footer says."""
    metadata = _footers.get(footer.digest)
    if footer.data is not None:
        if metadata is None:
            metadata = parse_footer(padded_copy(footer.data))
            metadata.file = footer.place
            _footers[footer.digest] = metadata
        file = DataFile(footer.name, footer.place, opener, metadata)
        file.own_nbytes = footer.file_nbytes
        return file
    file = read_file(footer.name, footer.place, opener)
    if file.metadata.digest != footer.digest or footer.file_nbytes not in (None, file.own_nbytes):
        file.close()
        raise CorruptFile(
            "the file is not the one whose footer was read in another process: it was replaced "
            "meanwhile; open it anew",
            file=file.label,
        )
    if file.file_cipher is None:
        # Files whose schema is one and the same object need not be compared.
        file.metadata = _footers.setdefault(footer.digest, file.metadata)
    return file
