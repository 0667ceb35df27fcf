"""Memory that is kept for the next array: only what nothing refers to, and not too much."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from hocket.parquet import memory
from hocket.parquet.errors import InvalidOption, LimitExceeded
from hocket.parquet.kernels.library import address
from hocket.parquet.memory import BlockPool, new_array

MIB = 1 << 20

pytestmark = pytest.mark.skipif(
    not memory._CAN_KEEP,
    reason="this system takes nothing back that is kept",
)


@pytest.mark.parametrize("nbytes", [1, MIB, 3 * MIB, 5 * MIB + 77])
def test_memory_is_there_from_end_to_end(nbytes):
    array = BlockPool(64 * MIB).array(nbytes)
    assert (len(array), array.dtype, array.flags.writeable) == (nbytes, np.uint8, True)
    array[:] = 7
    assert array.sum() == 7 * nbytes


def test_what_nothing_refers_to_is_used_again():
    pool = BlockPool(64 * MIB)
    array = pool.array(8 * MIB)
    where = address(array)
    view = array[5:].view(np.uint8)[1:100]
    del array
    assert pool.kept_nbytes == 0
    other = pool.array(8 * MIB)
    assert address(other) != where
    del view
    assert pool.kept_nbytes == 8 * MIB
    # A little less fits as well; nothing is left of it for others.
    assert address(pool.array(8 * MIB - 100)) == where
    assert pool.kept_nbytes == 8 * MIB


def test_much_larger_blocks_are_not_used():
    pool = BlockPool(64 * MIB)
    pool.array(16 * MIB)
    array = pool.array(8 * MIB)
    assert pool.kept_nbytes == 16 * MIB
    del array
    assert pool.kept_nbytes == 24 * MIB


def test_the_oldest_blocks_are_let_go_beyond_the_limit():
    pool = BlockPool(20 * MIB)
    for each in [pool.array(nbytes) for nbytes in (4 * MIB, 8 * MIB, 10 * MIB, 30 * MIB)]:
        del each
    assert pool.kept_nbytes <= 20 * MIB
    nothing = BlockPool(0)
    nothing.array(MIB)
    assert nothing.kept_nbytes == 0


def test_blocks_that_nobody_wants_are_let_go_after_a_while(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    pool = BlockPool(64 * MIB)
    pool.array(4 * MIB)
    now += 5
    pool.array(8 * MIB)
    assert pool.kept_nbytes == 12 * MIB
    now += 6
    assert pool.kept_nbytes == 8 * MIB
    now += 60
    assert pool.kept_nbytes == 0


def test_arrays_of_many_threads_do_not_share_memory():
    pool = BlockPool(32 * MIB)
    wrong = []

    def work(number):
        for turn in range(60):
            array = pool.array(MIB + turn % 3 * MIB)
            array[:: 1 << 12] = number
            other = pool.array(MIB)
            other[:: 1 << 12] = 255
            if not (array[:: 1 << 12] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert pool.kept_nbytes <= 32 * MIB


@pytest.mark.parametrize("shape", [7, (3, 5), np.int64(1 << 18), (2, 1 << 18)])
@pytest.mark.parametrize("dtype", [np.int64, np.bool_, "M8[ns]", "V16", object])
def test_arrays_have_their_shape_and_type(shape, dtype):
    array, known = new_array(shape, dtype), np.empty(shape, dtype)
    assert (array.shape, array.dtype) == (known.shape, known.dtype)
    assert array.flags.c_contiguous
    assert array.flags.aligned


@pytest.mark.parametrize("count", [1 << 50, 1 << 62, 1 << 70, -1])
def test_memory_that_is_not_there(count):
    with pytest.raises(LimitExceeded, match="no memory"):
        new_array(count, np.int64)


def test_how_much_is_kept_can_be_told(monkeypatch):
    monkeypatch.setattr(memory._OfProcess, "pool", None)
    monkeypatch.setenv(memory.KEPT_VARIABLE, "0")
    new_array(2 * MIB, np.uint8)
    assert memory._OfProcess.get().kept_nbytes == 0
    monkeypatch.setattr(memory._OfProcess, "pool", None)
    monkeypatch.setenv(memory.KEPT_VARIABLE, "much")
    with pytest.raises(InvalidOption, match="'much'"):
        new_array(2 * MIB, np.uint8)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_forked_processes_and_the_end_of_a_process():
    program = """if True:
        import os, sys
        from hocket.parquet.memory import new_array, _OfProcess
        kept = new_array(1 << 21, "u1")
        new_array(1 << 22, "u1")
        pool = _OfProcess.get()
        pool._lock.acquire()  # as if another thread were at it
        child = os.fork()
        if child == 0:
            new_array(1 << 22, "u1")[:] = 1
            os._exit(_OfProcess.get() is pool)
        assert os.waitpid(child, 0)[1] == 0
        """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
