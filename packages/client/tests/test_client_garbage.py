"""The garbage collector is kept still within blocks, and as it was afterwards."""

from __future__ import annotations

import gc

import pytest

from hocket.client.garbage import collector_kept_still


def test_it_is_still_until_the_last_block_ends() -> None:
    assert gc.isenabled()
    first = collector_kept_still()
    second = collector_kept_still()
    first.__enter__()
    assert not gc.isenabled()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_an_error_ends_the_block() -> None:
    with pytest.raises(ZeroDivisionError), collector_kept_still():
        _ = 1 / 0
    assert gc.isenabled()


def test_who_has_none_gets_none() -> None:
    gc.disable()
    try:
        with collector_kept_still():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
