#!/usr/bin/env python3
"""Makes the Parquet library's Thrift module from its .thrift file, with the Apache Thrift compiler.

    python tools/parquet_thrift.py            write the module anew
    python tools/parquet_thrift.py --check    only tell whether it is what the compiler makes

Both need the program ``thrift``. Its version is written into what it makes, so that another version
makes another file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from workspace import ROOT

FOLDER = ROOT / "packages/fastparquet/src/hocket/parquet/metadata/generated"
SOURCE = FOLDER / "parquet.thrift"
MODULES = ("ttypes.py", "constants.py")


def compiled(source: Path) -> dict[str, str]:
    """Return the modules that the compiler makes of a .thrift file, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["thrift", "--gen", "py:slots", "-out", folder, str(source)]
        subprocess.run(command, check=True)
        made = Path(folder) / source.stem
        return {name: (made / name).read_text(encoding="utf-8") for name in MODULES}


def main(arguments: list[str]) -> int:
    """Write the modules, or compare them; return the exit code."""
    stale = []
    for name, text in compiled(SOURCE).items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT).as_posix())
        if arguments != ["--check"]:
            path.write_text(text, encoding="utf-8")
    told = "is not what the compiler makes" if arguments == ["--check"] else "written"
    for name in stale:
        print(f"{name}: {told}")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
