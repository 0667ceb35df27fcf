"""``python -m hocket.parquet``: what can be done from a shell."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_USAGE = "usage: python -m hocket.parquet warmup [--cpu NAME]\n"


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument names; return the exit code."""
    if arguments[:1] == ["warmup"]:
        from hocket.parquet.kernels import warmup  # noqa: PLC0415 - only when asked for

        return warmup.main(arguments[1:])
    sys.stderr.write(_USAGE)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
