"""What a file is that is not Parquet, from its first and last bytes."""

from __future__ import annotations

from typing import Final

__all__ = ["describe_foreign"]

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"PK\x03\x04", "a zip archive (or an Excel workbook); unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed; unpack it first"),
    (b"BZh", "bzip2-compressed; unpack it first"),
    (b"\xfd7zXZ\x00", "xz-compressed; unpack it first"),
    (b"\x04\x22\x4d\x18", "lz4-compressed; unpack it first"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy-compressed as a whole; unpack it first"),
    (b"ARROW1", "an Arrow IPC (Feather) file"),
    (b"FEA1", "a Feather file, version 1"),
    (b"\xff\xff\xff\xff", "probably an Arrow IPC stream"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"SEQ", "a Hadoop sequence file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"%PDF", "a PDF document"),
    (b"\x80\x04", "probably a Python pickle"),
    (b"\x80\x05", "probably a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run 'git lfs pull'"),
    (b"<", "a page of HTML or XML (the answer of a server to a failed download?)"),
    (b"{", "probably JSON"),
    (b"[", "probably JSON"),
)
_MAGICS: Final = (b"PAR1", b"PARE")


def describe_foreign(head: bytes, tail: bytes) -> str:
    """Say why bytes are no Parquet file, and what they look like.

    Parameters
    ----------
    head
        The first bytes, some dozens if there are so many.
    tail
        The last four.
    """
    if head[:4] in _MAGICS:
        return (
            f"it begins like a Parquet file and ends with {tail!r} in place of "
            f"{head[:4]!r}: its end is missing (a download that broke off, or a writer that was "
            "never closed)"
        )
    if tail in _MAGICS:
        return (
            f"it ends like a Parquet file and begins with {head[:4]!r} in place of {tail!r}: "
            "its beginning was overwritten or is missing"
        )
    seen = f"this is no Parquet file: it begins with {head[:8]!r}"
    if head[:3] == b"PAR" or tail[:3] == b"PAR":
        return f"{seen} and ends with {tail!r}, marks that no version of the format has"
    guess = _guess(head)
    return f"{seen}; {guess}" if guess else seen


def _guess(head: bytes) -> str:
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return f"it is {name}"
    if head and not head.strip(b"\0"):
        return "nothing but zeros (never written to the disk?)"
    return "it looks like text, CSV perhaps" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut.
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text) and all(char.isprintable() or char in "\t\r\n" for char in text)
