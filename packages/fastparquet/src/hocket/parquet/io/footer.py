"""Finding the footer: the end of the file, read once where that is enough."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hocket.parquet.errors import CorruptFile
from hocket.parquet.io.buffers import padded
from hocket.parquet.io.source import Source
from hocket.parquet.records import dataclass

__all__ = ["RawFooter", "find_footer"]

#: Most footers are smaller than this, so that one read brings them.
_TAIL_NBYTES: Final = 64 << 10
#: The magic in front, the footer's length and the magic at the end.
_FRAME_NBYTES: Final = 12
_HEAD_NBYTES: Final = 32


@dataclass(frozen=True, slots=True)
class RawFooter:
    """The bytes at the end of a file.

    Parameters
    ----------
    data
        The footer, followed by 64 zeros.
    is_encrypted
        Crypto metadata and an encrypted footer, and not the footer itself.
    offset
        Where it begins in the file.
    """

    data: NDArray[np.uint8]
    is_encrypted: bool
    offset: int


def find_footer(source: Source) -> RawFooter:
    """Read the bytes of a file's footer, or say what is wrong with the file."""
    total = source.nbytes
    if total == 0:
        raise CorruptFile("the file is empty", file=source.name)
    tail_nbytes = min(_TAIL_NBYTES, total)
    if tail_nbytes == total:
        tail = source.read(0, total)
        head = tail[:_HEAD_NBYTES].tobytes()
    else:
        head_array, tail = source.read_many([(0, _HEAD_NBYTES), (total - tail_nbytes, tail_nbytes)])
        head = head_array.tobytes()
    magic = tail[-4:].tobytes()
    if magic not in (b"PAR1", b"PARE") or head[:4] != magic:
        from hocket.parquet.io.foreign import describe_foreign  # noqa: PLC0415 - rarely needed

        raise CorruptFile(describe_foreign(head, magic), file=source.name)
    if total < _FRAME_NBYTES:
        raise CorruptFile(
            f"it has {total} bytes, too few for a Parquet file: its end is missing",
            file=source.name,
        )
    nbytes = int.from_bytes(tail[-8:-4].tobytes(), "little")
    if nbytes > total - _FRAME_NBYTES:
        raise CorruptFile(
            f"the footer claims {nbytes:,} bytes in a file of {total:,}: the end of the file is "
            "damaged",
            file=source.name,
            offset=total - 8,
        )
    if nbytes == 0:
        raise CorruptFile("the footer has no bytes", file=source.name, offset=total - 8)
    start = total - 8 - nbytes
    footer = padded(nbytes)
    in_tail = min(nbytes, tail_nbytes - 8)
    footer[nbytes - in_tail :] = tail[tail_nbytes - 8 - in_tail : tail_nbytes - 8]
    source.read_into(start, footer[: nbytes - in_tail])
    return RawFooter(footer, magic == b"PARE", start)
