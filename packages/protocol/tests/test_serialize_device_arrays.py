"""Arrays on devices: through the host, back on the device of who reads them, and gone with them."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import types
import weakref

import pytest

from hocket.core.task_context import PROVIDER, TaskContext
from hocket.core.worker_view import WorkerView
from hocket.protocol.serialize import (
    ArgumentPickler,
    dump_value,
    extensions,
    load_arguments,
    load_value,
    nbytes_of,
    pack,
    unpack,
)

numpy = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch):
    """Let packages be asked that are imported in this test."""
    monkeypatch.setattr(extensions, "_reducers", {})
    monkeypatch.setattr(extensions, "_waiting", ["cupy", "torch"])


@pytest.fixture
def task():
    """Return what makes this thread one of a task's."""
    tokens = []

    def begin(devices, *, is_pinned=False):
        view = WorkerView("w", sees_own_gpus=is_pinned)
        context = TaskContext("k", 1, "w", devices={"GPU": devices}, view=view)
        tokens.append(PROVIDER.set(lambda: context))

    yield begin
    for token in reversed(tokens):
        PROVIDER.reset(token)


@pytest.fixture
def cupy(monkeypatch):
    """Stand in for CuPy, as far as its documentation promises it: memory that the host cannot read.

    Its real classes hold pointers; pickling one by chance would send these.
    """
    module = types.ModuleType("cupy")
    module.current, module.alive = 0, weakref.WeakSet()

    class ndarray:  # noqa: N801 - as it is called there
        def __init__(self, host, device):
            self._memory = memoryview(bytearray(host.tobytes("A")))
            self._form = (host.shape, host.dtype, "F" if host.flags.f_contiguous else "C")
            self.device, self.nbytes = device, host.nbytes
            module.alive.add(self)

        def __reduce__(self):
            raise AssertionError("it is to be taken apart by us")

    def asnumpy(array, order="C"):
        shape, dtype, own_order = array._form
        host = numpy.frombuffer(bytearray(array._memory), dtype).reshape(shape, order=own_order)
        return numpy.array(host, order=order)

    class Device:
        def __init__(self, ordinal):
            self.ordinal = ordinal

        def __enter__(self):
            self.before, module.current = module.current, self.ordinal

        def __exit__(self, *error):
            module.current = self.before

    ndarray.__module__ = "cupy"
    module.ndarray, module.asnumpy = ndarray, asnumpy
    module.asarray = lambda host: ndarray(numpy.asarray(host), module.current)
    module.cuda = types.SimpleNamespace(Device=Device)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_they_travel_by_the_host_and_come_back_on_the_device(cupy):
    host = numpy.arange(12_000.0).reshape(30, 400)
    array = cupy.asarray(host)
    assert nbytes_of(array) == 96_000
    buffers = pack({"deep": [array]})
    # As buffers, which nobody copies.
    assert [memoryview(one).nbytes for one in buffers[1:]] == [96_000]
    back = unpack([bytearray(one) for one in buffers])["deep"][0]
    assert type(back) is cupy.ndarray
    assert numpy.array_equal(cupy.asnumpy(back), host)
    back = load_value(dump_value(array))
    assert numpy.array_equal(cupy.asnumpy(back), host)
    (back,), _ = load_arguments(ArgumentPickler().dumps((array,), {}))
    assert numpy.array_equal(cupy.asnumpy(back), host)


def test_they_keep_their_order(cupy):
    array = cupy.asarray(numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)))
    back = unpack(pack(array))
    assert cupy.asnumpy(back, order="A").flags.f_contiguous


def test_the_receiver_chooses_the_device(cupy, task):
    buffers = pack(cupy.asarray(numpy.zeros(3)))
    cupy.current = 5
    assert unpack(buffers).device == 5
    # The task's, as the process counts what it sees; and what is current stays so.
    task((3, 1))
    assert unpack(buffers).device == 3
    assert cupy.current == 5
    task((3,), is_pinned=True)
    assert unpack(buffers).device == 0
    task(())
    assert unpack(buffers).device == 5


def test_nothing_keeps_what_was_sent_or_came(cupy):
    gc.disable()
    try:
        array = cupy.asarray(numpy.zeros(10_000))
        buffers = pack([array])
        del array
        assert not cupy.alive
        back = unpack(buffers)
        assert len(cupy.alive) == 1
        del back
        assert not cupy.alive
    finally:
        gc.enable()


def test_a_package_that_is_about_to_be_imported_is_asked_later(monkeypatch, cupy):
    array = cupy.asarray(numpy.zeros(3))
    cupy.__spec__ = types.SimpleNamespace(_initializing=True)
    with pytest.raises(Exception, match="taken apart by us"):
        pickle.loads(dump_value(array))
    cupy.__spec__._initializing = False
    assert type(load_value(dump_value(array))) is cupy.ndarray


NUMBA = """
import gc, weakref
import numpy
from numba import cuda
from hocket.protocol.serialize import nbytes_of, pack, unpack

host = numpy.arange(12_000.0).reshape(30, 400)
array = cuda.to_device(host)
kind = type(array)
assert kind is not numpy.ndarray
assert nbytes_of(array) == 96_000
buffers = pack([array])
assert [memoryview(one).nbytes for one in buffers[1:]] == [96_000], buffers
assert b"simulator" not in buffers[0], "its own way was taken"
gc.disable()
gone = []
weakref.finalize(array, gone.append, 1)
del array
assert gone == [1]
(back,) = unpack([bytearray(one) for one in buffers])
assert type(back) is kind
assert numpy.array_equal(back.copy_to_host(), host)
assert numpy.array_equal(unpack(pack(back[5:20, ::2])).copy_to_host(), host[5:20, ::2])

@cuda.jit
def double(values):
    place = cuda.grid(1)
    if place < values.size:
        values[place] *= 2

flat = unpack(pack(cuda.to_device(numpy.arange(4.0))))
double[1, 4](flat)
assert flat.copy_to_host().tolist() == [0, 2, 4, 6]
print("all is well")
"""


@pytest.mark.slow
def test_numbas_arrays_on_its_simulator():
    pytest.importorskip("numba")
    done = subprocess.run(
        [sys.executable, "-c", NUMBA],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("all is well\n", "")


# Of PyTorch there is nothing to stand in for: what it promises is in its own tensors.


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def roundtrip(value):
    return unpack([bytearray(one) for one in pack(value)])


def test_tensors_of_every_dtype_come_back(torch):
    plain = torch.arange(24).reshape(2, 3, 4)
    for dtype in (torch.float32, torch.bfloat16, torch.int8, torch.bool, torch.complex64):
        tensor = plain.to(dtype)
        back = roundtrip(tensor)
        assert back.dtype is dtype
        assert torch.equal(back, tensor)
    assert roundtrip(torch.tensor(2.5)).item() == 2.5
    assert roundtrip(torch.zeros((0, 3))).shape == (0, 3)
    assert nbytes_of(torch.zeros(1000, dtype=torch.bfloat16)) == 2000


def test_tensors_are_sent_as_they_lie(torch):
    buffers = pack(torch.zeros(10_000))
    assert [memoryview(one).nbytes for one in buffers[1:]] == [40_000]
    # What came in memory that cannot be written to is copied: PyTorch knows of no such thing.
    back = unpack([bytes(one) for one in buffers])
    back += 1
    assert back.sum() == 10_000


def test_parts_and_turned_ones_come_alone(torch):
    matrix = torch.arange(10_000.0).reshape(100, 100)
    for part in (matrix[3:5], matrix.T, matrix[:, ::2], torch.conj(matrix.to(torch.complex64))):
        assert torch.equal(roundtrip(part), part)
    assert sum(memoryview(one).nbytes for one in pack(matrix[3])) < 2000


def test_what_learns_goes_on_to_learn(torch):
    parameter = torch.nn.Parameter(torch.ones(3))
    back = roundtrip(parameter)
    assert type(back) is torch.nn.Parameter
    assert back.requires_grad
    assert roundtrip(torch.ones(3, requires_grad=True)).requires_grad
    model = torch.nn.Linear(3, 2)
    again = roundtrip(model)
    assert torch.equal(again(torch.ones(3)), model(torch.ones(3)))
    assert roundtrip({"one": parameter, "same": parameter})["one"] is not None


def test_what_is_special_goes_its_own_way(torch):
    sparse = torch.eye(3).to_sparse()
    assert torch.equal(roundtrip(sparse).to_dense(), torch.eye(3))


def test_a_tensor_of_a_device_comes_to_the_host_where_there_is_none(torch, monkeypatch):
    function, arguments = extensions.extension_reducers()[torch.Tensor](torch.ones(3))
    data, dtype, shape, device, *rest = arguments
    assert device == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert function(data, dtype, shape, "cuda", *rest).tolist() == [1, 1, 1]
