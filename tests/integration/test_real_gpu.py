"""What only a real card can show: run `pytest -m gpu` where there is one."""

from __future__ import annotations

import ctypes
import gc
import inspect
import subprocess
import sys
import time

import pytest

from hocket.client import Client
from hocket.deploy import LocalCluster
from hocket.worker.shell.gpu_places import present_gpus
from hocket.worker.shell.gpu_vitals import GpuVitals

numpy = pytest.importorskip("numpy")


def count_cards():
    """Return how many devices of CUDA this process sees, by its driver; 0 without one."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def count_cards_elsewhere():
    """Return the same of a process of its own: what is begun here is of no use to those forked."""
    code = f"import ctypes, sys\n{inspect.getsource(count_cards)}print(count_cards())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.fixture(scope="module")
def cards():
    count = count_cards_elsewhere()
    if not count:
        pytest.skip("there is no card here that CUDA's driver knows (or no driver)")
    return count


@pytest.fixture(scope="module")
def client(cards):
    with LocalCluster(1, 2, resources={"GPU": cards}) as cluster, Client(cluster) as one:
        yield one


pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def test_a_task_in_a_process_sees_its_card_alone(client, cards):
    counts = client.map(
        lambda _: count_cards(), range(2 * cards), resources={"GPU": 0.5}, executor="processes"
    )
    assert client.gather(counts) == [1] * (2 * cards)
    everything = client.submit(count_cards, resources={"GPU": cards}, executor="processes")
    assert everything.result(timeout=60) == cards


def free_nbytes():
    from numba import cuda  # noqa: PLC0415

    context = cuda.current_context()
    context.deallocations.clear()
    return context.get_memory_info().free


def to_numba(values):
    from numba import cuda  # noqa: PLC0415

    return cuda.to_device(values)


def to_cupy(values):
    import cupy  # noqa: PLC0415

    return cupy.asarray(values)


def to_torch(values):
    import torch  # noqa: PLC0415

    return torch.from_numpy(values).cuda()


def on_host(array):
    """Return a device's array as NumPy's, whoever's it is."""
    for name in ("copy_to_host", "get"):
        if hasattr(array, name):
            return type(array).__module__, getattr(array, name)()
    return type(array).__module__, array.cpu().numpy()


@pytest.mark.parametrize(
    ("package", "make"), [("numba", to_numba), ("cupy", to_cupy), ("torch", to_torch)]
)
@pytest.mark.parametrize("executors", [("threads", "processes"), ("processes", "threads")])
def test_arrays_go_from_card_to_card(client, package, make, executors):
    pytest.importorskip(package)
    host = numpy.arange(1_000_000.0)
    first, second = executors
    array = client.submit(make, host, resources={"GPU": 0.5}, executor=first)
    back = client.submit(on_host, array, resources={"GPU": 0.5}, executor=second)
    module, values = back.result(timeout=60)
    assert module.partition(".")[0] == package
    assert numpy.array_equal(values, host)
    # And to whoever has the same card here.
    assert numpy.array_equal(on_host(array.result(timeout=60))[1], host)


def test_what_is_released_is_off_the_card(client):
    pytest.importorskip("numba")
    before = client.submit(free_nbytes, pure=False).result(timeout=60)
    big = client.submit(to_numba, numpy.zeros(2**26), resources={"GPU": 1})
    client.submit(type, big).result(timeout=60)
    assert client.submit(free_nbytes, pure=False).result(timeout=60) < before - 2**28
    del big
    gc.collect()
    deadline_s = time.monotonic() + 20
    while client.submit(free_nbytes, pure=False).result(timeout=60) < before - 2**28:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def test_samples_tell_of_the_card(cards):
    pytest.importorskip("pynvml")
    names = present_gpus()
    assert len(names) >= cards
    samples = GpuVitals(names).look()
    assert [one.gpu for one in samples] == names
    assert all(one.memory_limit > 2**30 and one.model for one in samples)
