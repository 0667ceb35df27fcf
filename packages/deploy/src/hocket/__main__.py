"""``python -m hocket``: the command ``hocket`` by another name."""

from __future__ import annotations

import sys

from hocket.deploy.cli.program import run

if __name__ == "__main__":
    sys.exit(run("python -m hocket"))
