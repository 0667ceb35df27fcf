"""A wheel brings the kernels compiled; what does not fit is left alone."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest

from hocket.parquet.kernels import catalogue, processor, shipped
from hocket.parquet.kernels.library import KERNEL, Kernels, address, origin
from hocket.parquet.kernels.linking import NoLinker, link
from hocket.parquet.kernels.shipped import ShippedLibrary

NAME = "bitmap_of_bytes"

pytestmark = pytest.mark.skipif(not processor.levels(), reason="no wheel is made for this one")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder as wheels have it, with a few of the kernels in it."""
    pytest.importorskip("numba")
    folder = tmp_path_factory.mktemp("shipped") / "_compiled"
    shipped.build(folder, processor.levels()[-2:], ["bitmaps"])
    return folder


@pytest.fixture
def folder(built, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(built, tmp_path / "_compiled")


def test_the_best_that_runs_here_is_used(folder, monkeypatch) -> None:
    library = ShippedLibrary.find(folder)
    assert library is not None
    assert library.level == processor.levels()[-2:][0]
    assert library.function("another") is None
    lowest = processor.levels()[-1:]
    monkeypatch.setattr(processor, "levels", lambda: lowest)
    assert ShippedLibrary.find(folder).level == lowest[0]
    monkeypatch.setattr(processor, "levels", lambda: ("something-else",))
    assert ShippedLibrary.find(folder) is None


def test_it_comes_first_and_is_called(folder) -> None:
    kernels = Kernels("", folder=folder)
    flags, bits = np.ones(72, np.uint8), np.zeros(1, np.uint8)
    assert kernels.bitmap_of_bytes(address(flags), 5, address(bits)) == 5
    assert bits[0] == 0b11111
    assert origin(NAME, kernels).startswith("the wheel's library for ")
    with pytest.raises(TypeError, match="at least 3 arguments"):
        kernels.bitmap_of_bytes(1, 2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("digest", "0" * 32),
        ("system", [sys.platform, "another"]),
        ("system", ["another", processor.machine()]),
        ("libraries", {}),
        ("libraries", dict.fromkeys(processor.levels(), "gone.so")),
        ("libraries", None),
        ("kernels", None),
    ],
)
def test_what_does_not_fit_is_not_used(folder, key, value) -> None:
    path = folder / "kernels.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, key: value}))
    found = ShippedLibrary.find(folder)
    assert found is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "\0", '"kernels"'])
def test_a_manifest_that_is_none(folder, text) -> None:
    (folder / "kernels.json").write_text(text)
    assert ShippedLibrary.find(folder) is None
    shutil.rmtree(folder)
    assert ShippedLibrary.find(folder) is None


def test_a_library_that_is_none(folder) -> None:
    for path in folder.glob("*[!n]"):
        path.write_bytes(b"not a library")
    assert ShippedLibrary.find(folder) is None


def test_a_changed_source(folder, monkeypatch) -> None:
    assert ShippedLibrary.find(folder) is not None
    monkeypatch.setattr(shipped, "digest_of_texts", lambda: "another")
    assert ShippedLibrary.find(folder) is None


def test_the_manifest_says_what_it_was_made_with(folder) -> None:
    manifest = json.loads((folder / "kernels.json").read_text())
    assert manifest["kernels"] == {
        each.__name__: each.__code__.co_argcount for each in catalogue.kernels_of("bitmaps")
    }
    assert set(manifest["made_with"]) == {"numba", "llvmlite"}
    assert manifest["digest"] == catalogue.digest_of_texts()


@pytest.mark.skipif(
    shutil.which("nm") is None or platform.system() != "Linux", reason="nm reads the symbols"
)
def test_it_needs_nothing_and_shows_kernels_alone(folder) -> None:
    assert list(folder.glob("*.so"))
    for path in [*folder.glob("*.so"), *shipped.FOLDER.glob("*.so")]:
        manifest = json.loads((path.parent / "kernels.json").read_text())
        told = subprocess.run(["nm", "-D", path], check=True, capture_output=True, text=True)
        symbols = [line.split()[-2:] for line in told.stdout.splitlines()]
        shown = {name for kind, name in symbols if kind == "T"}
        assert shown == {f"hocket_{name}" for name in manifest["kernels"]}
        # Without a version: any C library's.
        assert {name for kind, name in symbols if kind != "T"} <= {"memcpy", "memset", "memmove"}


def test_without_a_linker(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NoLinker, match="neither a C compiler nor a linker"):
        link(b"")


def test_a_linker_that_fails(tmp_path, monkeypatch) -> None:
    program = tmp_path / "cc"
    program.write_text("#!/bin/sh\necho cannot do that >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("CC", str(program))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoLinker, match="cannot do that"):
        link(b"")


SCRIPT = f"""
import sys
from hocket.parquet.kernels.library import origin
print(origin({NAME!r}))
assert "numba" not in sys.modules and "llvmlite" not in sys.modules
"""


@pytest.mark.skipif(not shipped.FOLDER.exists(), reason="not installed from a compiled wheel")
def test_an_installed_wheel_uses_its_library() -> None:
    manifest = json.loads((shipped.FOLDER / "kernels.json").read_text())
    assert set(manifest["kernels"]) == {
        each.__name__ for name in catalogue.subjects() for each in catalogue.kernels_of(name)
    }
    assert origin(NAME).startswith("the wheel's library for ")
    for name in manifest["kernels"]:
        assert origin(name) == origin(NAME)
        assert getattr(KERNEL, name).argtypes is not None
    told = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == origin(NAME)
