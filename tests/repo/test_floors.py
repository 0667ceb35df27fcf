"""The floors hold: each contract catches what is planted against it, and machines pull no I/O."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from workspace import ROOT


@pytest.mark.parametrize(
    ("contract", "importer", "imported"),
    [
        ("floors", "protocol.roles", "hocket.transport"),
        ("floors", "worker.machine", "hocket.scheduler"),
        ("parquet-alone", "parquet.planted", "hocket.core"),
        ("engine-without-parquet", "diagnostics.planted", "hocket.parquet"),
        ("parquet-rooms", "parquet.kernels.cache", "hocket.parquet.metadata.schema"),
        ("parquet-numba", "parquet.kernels.library", "numba"),
        ("parquet-numba", "parquet.kernels.just_in_time", "llvmlite"),
        ("no-circles", "core.units", "hocket.core.settings"),
        ("machines", "scheduler.machine", "time"),
        ("machines", "worker.planted", "threading"),
        ("machines", "core.planted", "socket"),
        ("simulator", "testing.trace", "hocket.worker.shell"),
        ("simulator", "testing.planted", "socket"),
        ("shells", "diagnostics.planted", "hocket.scheduler.shell"),
    ],
)
def test_a_planted_import_is_caught_by_the_contract_meant_for_it(
    tmp_path, contract, importer, imported
):
    for source in ROOT.glob("packages/*/src"):
        shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "hocket" / (importer.replace(".", "/") + ".py")
    with file.open("a", encoding="utf-8") as planted:
        planted.write(f"\n\ndef planted():\n    import {imported}\n")
    # Without site, since that would bring the editable packages in beside the copies.
    path = os.pathsep.join([str(tmp_path), sysconfig.get_path("purelib")])
    code = "from importlinter.cli import lint_imports_command as program; program()"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code, "--no-cache", "--no-logo", "--contract", contract],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    if contract == "no-circles":
        # It tells which edge to remove, which need not be the new one.
        assert "No cycles are allowed in hocket.core" in ran.stdout
    else:
        assert f"hocket.{importer} -> {imported}" in ran.stdout


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("hocket.core.settings", "asyncio socket threading subprocess"),
        ("hocket.graph", "asyncio socket subprocess"),
        ("hocket.protocol.session", "asyncio socket ssl multiprocessing subprocess"),
        ("hocket.scheduler.machine", "asyncio socket ssl multiprocessing subprocess cloudpickle"),
        ("hocket.worker.machine", "asyncio socket ssl multiprocessing subprocess"),
        ("hocket.client.machine", "asyncio socket ssl multiprocessing subprocess"),
        ("hocket.testing", "asyncio socket ssl multiprocessing subprocess"),
        ("hocket.parquet", "numba llvmlite pyarrow thrift fsspec cryptography cramjam"),
        ("hocket.parquet.kernels.library", "numba llvmlite pandas"),
    ],
)
def test_importing_a_machine_brings_no_io_along(module, forbidden):
    # The contracts see what a module imports; this sees what comes along, by the __init__ of its
    # package or by somebody else's library.
    code = (
        f"import sys; before = set(sys.modules); import {module};"
        f"print(*sorted(set({forbidden.split()!r}) & (set(sys.modules) - before)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == ""
