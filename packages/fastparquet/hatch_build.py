"""Compiles the kernels when a wheel is built.

The wheel then has one small shared library for each level of processors, fits every Python and
every C library, and needs no compiler where it is installed. Where Numba or a linker is missing,
the wheel is pure: its kernels are compiled where they are used. An editable installation compiles
nothing either. ``HOCKET_PARQUET_BUILD=pure`` asks for a pure wheel, and
``HOCKET_PARQUET_BUILD=compiled`` for an error rather than a pure one.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import types
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Versions of Numba that this was tested with, where Numba has wheels.
NUMBA = (
    'numba>=0.62,<0.69; python_version < "3.15" and sys_platform != "win32" and '
    'platform_machine in "x86_64 AMD64 aarch64 arm64"'
)

VARIABLE = "HOCKET_PARQUET_BUILD"

#: The package in the source tree and in the wheel.
PACKAGE = "hocket/parquet"


class KernelsHook(BuildHookInterface[Any]):
    """Adds the shared libraries to a wheel."""

    PLUGIN_NAME = "custom"
    _scratch: Path | None = None

    def dependencies(self) -> list[str]:
        """Return what compiling needs beside a linker."""
        return [] if os.environ.get(VARIABLE) == "pure" else [NUMBA]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the wheel is put together."""
        if version != "standard" or os.environ.get(VARIABLE) == "pure":
            return
        self._scratch = Path(tempfile.mkdtemp(prefix="hocket-parquet-"))
        compiled = self._scratch / "_compiled"
        # In a process of its own: whatever goes wrong in a compiler, there is a wheel.
        done = subprocess.run(
            [sys.executable, __file__, str(Path(self.root) / "src"), str(compiled)],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            reason = (done.stdout.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            told = f"hocket-parquet: the kernels could not be compiled: {reason}"
            if os.environ.get(VARIABLE) == "compiled":
                raise RuntimeError(f"{told}\n{done.stdout}")
            self.app.display_warning(f"{told}; this wheel is pure, and compiles where it is used")
            return
        build_data["force_include"][str(compiled)] = f"{PACKAGE}/kernels/_compiled"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"

    def finalize(self, *_told: Any) -> None:
        """Remove what was compiled, after the wheel has it."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch)


def platform_tag() -> str:
    """Return the platforms that a library made here runs on, as names of wheels have them.

    The library depends on no other one, so on Linux it fits the C libraries of all distributions.
    """
    machine = platform.machine()
    if sys.platform == "linux":
        return f"manylinux2014_{machine}.manylinux_2_17_{machine}.musllinux_1_1_{machine}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compile_kernels(source: Path, folder: Path) -> None:
    """Compile the kernels of a source tree into a folder."""
    sys.path.insert(0, str(source))
    # Not its __init__: that asks for pandas and others, which nothing here needs.
    package = types.ModuleType(PACKAGE.replace("/", "."))
    package.__path__ = [str(source / PACKAGE)]
    sys.modules[package.__name__] = package
    from hocket.parquet.kernels import shipped  # noqa: PLC0415 - it can be found from here on

    shipped.build(folder)


if __name__ == "__main__":
    compile_kernels(Path(sys.argv[1]), Path(sys.argv[2]))
