"""``python -m hocket.parquet warmup`` compiles what is missing, and says what it did and where."""

from __future__ import annotations

import re

import pytest

from hocket.parquet import __main__ as program
from hocket.parquet.kernels import catalogue, just_in_time, processor, shipped


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOCKET_PARQUET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(catalogue, "subjects", lambda: ("bitmaps", "varint"))
    monkeypatch.setattr(shipped.ShippedLibrary, "find", lambda: None)


def test_it_compiles_once(tmp_path, capsys) -> None:
    pytest.importorskip("numba")
    assert program.main(["warmup"]) == 0
    first = capsys.readouterr().out.splitlines()
    assert len(first) == 2
    many = len(catalogue.kernels_of("bitmaps"))
    words = rf"bitmaps: {many} kernels compiled for native in \d+\.\d s: (.*)"
    found = re.fullmatch(words, first[0])
    assert found
    assert just_in_time.path_of_kept("bitmaps") == tmp_path / "cache" / found[1]
    assert program.main(["warmup", "--cpu", "native"]) == 0
    second = capsys.readouterr().out.splitlines()
    assert second == [f"2 modules were already compiled for native: {tmp_path / 'cache'}"]


def test_for_a_level(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("numba")
    level = processor.levels()[-1]
    monkeypatch.setattr(catalogue, "subjects", lambda: ("bitmaps",))
    assert program.main(["warmup", "--cpu", level]) == 0
    assert f"compiled for {level} in" in capsys.readouterr().out
    (path,) = (tmp_path / "cache").iterdir()
    assert level in path.name
    # What was compiled for a level serves each of its processors.
    names = {each.__name__ for each in catalogue.kernels_of("bitmaps")}
    assert set(just_in_time.find_kept("bitmaps") or ()) == names
    monkeypatch.setattr(processor, "levels", lambda: ())
    assert just_in_time.find_kept("bitmaps") is None


def test_where_the_package_brings_a_library(monkeypatch, capsys) -> None:
    class Found:
        level, path = "x86-64-v3", "kernels/x86-64-v3.so"

    monkeypatch.setattr(shipped.ShippedLibrary, "find", lambda: Found)
    assert program.main(["warmup"]) == 0
    expected = "the library for x86-64-v3 that came with the package fits: kernels/x86-64-v3.so\n"
    assert capsys.readouterr().out == expected


def test_without_numba(monkeypatch, capsys) -> None:
    monkeypatch.setattr(just_in_time, "_versions", lambda: ())
    assert program.main(["warmup"]) == 1
    assert "pip install hocket-parquet[jit]" in capsys.readouterr().out


def test_arguments_that_nobody_knows(capsys) -> None:
    assert program.main([]) == 2
    assert program.main(["dance"]) == 2
    assert capsys.readouterr().err.count("usage: python -m hocket.parquet") == 2
    with pytest.raises(SystemExit):
        program.main(["warmup", "--cpu", "z80"])
