"""Kernels come from the first place that has them, and nobody waits who need not."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from hocket.parquet.errors import InvalidOption, KernelsUnavailable
from hocket.parquet.kernels import catalogue, just_in_time, library
from hocket.parquet.kernels.library import (
    AS_WRITTEN,
    COMPILED_HERE,
    Kernels,
    address,
    expect,
    origin,
)
from hocket.parquet.kernels.shared_library import suffix

NAME = "bitmap_of_bytes"
#: Another kernel, of another module, that is quickly compiled.
OTHER = catalogue.kernels_of("varint")[0].__name__


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Nothing is kept yet, and nothing told."""
    monkeypatch.setenv("HOCKET_PARQUET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(library.VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def kernels(tmp_path):
    """As in an installation without a library."""
    return Kernels(folder=tmp_path)


@pytest.fixture
def compilations(monkeypatch):
    """What is compiled."""
    pytest.importorskip("numba")
    done = []
    compiled = just_in_time.compiled

    def noted(subject):
        done.append(subject)
        return compiled(subject)

    monkeypatch.setattr(just_in_time, "compiled", noted)
    return done


@pytest.fixture
def no_numba(monkeypatch):
    monkeypatch.setattr(just_in_time, "_versions", lambda: ())


def works(kernels: Kernels) -> bool:
    flags = np.array([1, 0, 1, 1, 0, 0, 0, 1, 1, 1, *[0] * 64], np.uint8)
    bits = np.zeros(2, np.uint8)
    ones = kernels.bitmap_of_bytes(address(flags), 10, address(bits))
    return ones == 6 and bits.tolist() == [0b10001101, 0b11]


def test_compiled_when_asked_for_and_then_kept(kernels, tmp_path, compilations) -> None:
    assert works(kernels)
    assert origin(NAME, kernels) == COMPILED_HERE
    assert kernels.bitmap_of_bytes is kernels.__dict__[NAME]
    again = Kernels(folder=tmp_path)
    assert works(again)
    assert origin(NAME, again) == COMPILED_HERE
    assert compilations == ["bitmaps"]


def test_without_a_linker(kernels, tmp_path, folder, monkeypatch, compilations) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("CC", raising=False)
    assert works(kernels)
    assert {each.suffix for each in folder.iterdir()} == {".o"}
    assert works(Kernels(folder=tmp_path))
    assert compilations == ["bitmaps"]


def test_where_nothing_is_executed_from(kernels, tmp_path, folder, monkeypatch) -> None:
    pytest.importorskip("numba")

    def refused(*_):
        raise OSError("failed to map segment from shared object")

    monkeypatch.setattr(just_in_time, "_opened", refused)
    assert works(kernels)
    assert {each.suffix for each in folder.iterdir()} > {".o"}
    assert works(Kernels(folder=tmp_path))


def test_what_is_kept_and_broken_is_made_anew(kernels, folder, compilations) -> None:
    path = folder / f"{just_in_time._stem('bitmaps', '')}{suffix()}"
    folder.mkdir(mode=0o700)
    path.write_bytes(b"\x7fELF and nothing more")
    assert works(kernels)
    assert compilations == ["bitmaps"]
    assert path.stat().st_size > 1000


def test_as_written_when_told() -> None:
    kernels = Kernels("interpreted")
    assert works(kernels)
    assert origin(NAME, kernels) == AS_WRITTEN
    expect(1 << 40, kernels)
    assert origin(NAME, kernels) == AS_WRITTEN


def test_the_environment_tells(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(library.VARIABLE, "interpreted")
    assert origin(NAME, Kernels(folder=tmp_path)) == AS_WRITTEN
    monkeypatch.setenv(library.VARIABLE, "fast")
    with pytest.raises(InvalidOption, match="'fast'; it can be compiled, jit, interpreted"):
        _ = Kernels(folder=tmp_path).bitmap_of_bytes


def test_nothing_is_compiled_where_it_must_be_there_already(tmp_path, compilations) -> None:
    with pytest.raises(KernelsUnavailable, match="allows nothing else"):
        _ = Kernels("compiled", folder=tmp_path).bitmap_of_bytes
    assert compilations == []
    assert works(Kernels("jit"))
    assert works(Kernels("compiled", folder=tmp_path))
    assert compilations == ["bitmaps"]


@pytest.mark.parametrize("name", ["no_such_kernel", "_private", "__wrapped__"])
def test_names_that_are_no_kernel(kernels, name) -> None:
    assert not hasattr(kernels, name)


def test_little_is_not_worth_a_compiler(kernels, monkeypatch, compilations) -> None:
    monkeypatch.setattr(library, "_PATIENCE_NBYTES", 1000)
    expect(600, kernels)
    assert works(kernels)
    assert origin(NAME, kernels) == AS_WRITTEN
    expect(399, kernels)
    assert origin(NAME, kernels) == AS_WRITTEN
    assert compilations == []
    # Many a little makes a lot.
    expect(1, kernels)
    assert works(kernels)
    assert origin(NAME, kernels) == COMPILED_HERE
    assert compilations == ["bitmaps"]
    # And never back.
    expect(1, kernels)
    assert origin(OTHER, kernels) == COMPILED_HERE


def test_what_is_kept_serves_little_as_well(kernels, tmp_path, compilations) -> None:
    assert works(kernels)
    again = Kernels(folder=tmp_path)
    expect(1, again)
    assert origin(NAME, again) == COMPILED_HERE
    assert origin(OTHER, again) == AS_WRITTEN
    assert compilations == ["bitmaps"]


@pytest.mark.usefixtures("no_numba")
def test_without_numba(kernels) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expect(100, kernels)
        assert works(kernels)
    with pytest.warns(RuntimeWarning, match=r"pip install hocket-parquet\[jit\]"):
        expect(100 << 20, kernels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expect(100 << 20, kernels)  # It has been said.
        assert works(kernels)
    with pytest.raises(KernelsUnavailable, match=r"4,294,967,296 bytes .* pip install"):
        expect(1 << 32, kernels)


@pytest.mark.usefixtures("no_numba")
def test_without_numba_where_it_is_the_only_way() -> None:
    with pytest.raises(KernelsUnavailable, match="Numba is not installed"):
        _ = Kernels("jit").bitmap_of_bytes


def test_a_compiler_that_fails(kernels, monkeypatch) -> None:
    compiler = pytest.importorskip("hocket.parquet.kernels.compiler")

    def failing(kernels_):
        if any(each.__name__ == NAME for each in kernels_):
            raise RuntimeError("LLVM says no")
        return assemble(kernels_)

    assemble = compiler.assemble
    monkeypatch.setattr(compiler, "assemble", failing)
    with pytest.warns(RuntimeWarning, match="'bitmaps' cannot be compiled here: LLVM says no"):
        assert works(kernels)
    assert origin(NAME, kernels) == AS_WRITTEN
    assert origin(OTHER, kernels) == COMPILED_HERE
    with pytest.raises(KernelsUnavailable, match="LLVM says no"):
        _ = Kernels("jit").bitmap_of_bytes


def test_many_threads_compile_once(kernels, compilations) -> None:
    found = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(kernels.bitmap_of_bytes)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert compilations == ["bitmaps"]


SCRIPT = f"""
import sys
before = set(sys.modules)
from hocket.parquet.kernels.library import KERNEL, origin
assert not {{"numba", "llvmlite", "pandas"}} & (set(sys.modules) - before)
print(origin({NAME!r}))
assert "numba" not in sys.modules and "llvmlite" not in sys.modules
"""


def test_a_later_process_needs_no_numba() -> None:
    # In the environment of this test: whatever way there is, once something is kept.
    assert works(Kernels())
    command = [sys.executable, "-c", SCRIPT]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said.strip() == origin(NAME, Kernels())
    assert said.strip() != AS_WRITTEN
