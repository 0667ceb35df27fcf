"""Compiled kernels are kept where only their user can have put them, and nowhere else."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hocket.parquet.kernels import cache


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "home" / "hocket-parquet"


def test_what_is_kept_is_found(home) -> None:
    assert cache.find("a.so") is None
    assert not home.exists()
    path = cache.keep("a.so", b"code")
    assert path == home / "a.so"
    assert cache.find("a.so") == path
    assert path.read_bytes() == b"code"
    assert home.stat().st_mode & 0o777 == 0o700
    assert cache.keep("a.so", b"other") == path
    assert path.read_bytes() == b"other"
    assert [each.name for each in home.iterdir()] == ["a.so"]


def test_the_variable_names_the_folder(tmp_path, monkeypatch, home) -> None:
    cache.keep("a.so", b"code")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "told" / "deep"))
    assert cache.find("a.so") is None
    assert cache.keep("a.so", b"code") == tmp_path / "told" / "deep" / "a.so"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_where_others_may_write_nothing_is_trusted(home, tmp_path, mode) -> None:
    path = cache.keep("a.so", b"code")
    home.chmod(mode)
    assert cache.find("a.so") is None
    kept = cache.keep("a.so", b"code")
    assert kept is not None
    assert kept.parent == tmp_path / "scratch" / f"hocket-parquet-{os.geteuid()}"
    home.chmod(0o755)
    assert cache.find("a.so") == path


def test_what_belongs_to_another_is_not_trusted(home, monkeypatch) -> None:
    cache.keep("a.so", b"code")
    owner = home.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    # The administrator's folders are trusted: who owns them owns all.
    assert (cache.find("a.so") is not None) == (owner == 0)
    status = os.stat_result([0o40755, 0, 0, 1, owner + 2, 0, 0, 0, 0, 0])
    monkeypatch.setattr("pathlib.Path.lstat", lambda _: status)
    assert cache.find("a.so") is None


def test_a_link_that_somebody_else_made_is_not_followed(home, tmp_path, monkeypatch) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home.parent.mkdir()
    home.symlink_to(tmp_path / "elsewhere")
    path = cache.keep("a.so", b"code")
    assert path == home / "a.so"  # One's own link is.
    stranger = os.stat_result([0o120777, 0, 0, 1, home.stat().st_uid + 1, 0, 0, 0, 0, 0])
    monkeypatch.setattr("pathlib.Path.lstat", lambda _: stranger)
    assert cache.find("a.so") is None


def test_a_folder_that_was_asked_for_and_cannot_be_trusted_is_told(tmp_path, monkeypatch) -> None:
    told = tmp_path / "told"
    told.mkdir()
    told.chmod(0o777)
    monkeypatch.setenv(cache.VARIABLE, str(told))
    with pytest.warns(RuntimeWarning, match="HOCKET_PARQUET_CACHE is .*told"):
        path = cache.keep("a.so", b"code")
    assert path is not None
    assert path.parent.name == f"hocket-parquet-{os.geteuid()}"


def test_where_nothing_can_be_kept(home, tmp_path) -> None:
    home.parent.write_text("in the way")
    (tmp_path / "scratch").rmdir()
    (tmp_path / "scratch").write_text("in the way, too")
    assert cache.keep("a.so", b"code") is None
    assert cache.find("a.so") is None


def test_what_is_old_goes_when_something_comes(home) -> None:
    old, young = cache.keep("old.so", b"code"), cache.keep("young.so", b"code")
    assert old is not None
    os.utime(old, (0, 0))
    assert cache.find("old.so") == old
    cache.keep("new.so", b"code")
    assert sorted(home.iterdir()) == [home / "new.so", young]


def test_a_failure_leaves_nothing_behind(home, monkeypatch) -> None:
    cache.keep("a.so", b"code")

    def full(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    assert cache.keep("a.so", b"new code") is None
    assert [each.name for each in home.iterdir()] == ["a.so"]
    assert (home / "a.so").read_bytes() == b"code"


def test_many_keep_the_same_at_once(home) -> None:
    codes = [bytes([number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=cache.keep, args=("a.so", code)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (home / "a.so").read_bytes() in codes
    assert [each.name for each in home.iterdir()] == ["a.so"]
