"""``python -m hocket.parquet``: the command ``hocket-parquet`` by another name."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hocket.parquet.cli import program

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; return the exit code."""
    return program.main(arguments, "python -m hocket.parquet")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
