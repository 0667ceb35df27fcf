"""Arrays that lie on a device: they travel through the host, and come back on the receiver's.

CuPy, Numba and PyTorch are none of our requirements: they are called by name, and not before
somebody else has imported them or sent such an array. Which device it is over there is for the
receiver to say: the one of the task that reads the array, or else the library's present one. A
tensor of PyTorch's whose reader has no such device comes back on the host, since PyTorch's can;
arrays of the others cannot.

What travels is what an array shows, in memory of its own: two views of one array come apart, as
those of NumPy do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Final

from hocket.core.worker_view import device_ordinal

__all__ = ["DEVICE_PACKAGES"]

#: Takes an object apart, as a ``__reduce__`` method does.
_Reducer = Callable[[Any], Any]

#: What PyTorch calls devices of NVIDIA's and AMD's.
_CUDA: Final = "cuda"


def _cupy_reducers() -> Mapping[type, _Reducer]:
    cupy = import_module("cupy")

    return {cupy.ndarray: _reduce_cupy}


def _reduce_cupy(array: Any) -> Any:
    cupy = import_module("cupy")

    return _make_cupy, (cupy.asnumpy(array, order="A"),)


def _make_cupy(host: Any) -> Any:
    cupy = import_module("cupy")

    with _device(cupy.cuda.Device):
        return cupy.asarray(host)


def _numba_reducers() -> Mapping[type, _Reducer]:
    devicearray = import_module("numba.cuda.cudadrv.devicearray")

    # (Its simulator has a class of another name.)
    names = ("DeviceNDArray", "FakeCUDAArray")
    classes = [getattr(devicearray, name, None) for name in names]
    return dict.fromkeys((cls for cls in classes if isinstance(cls, type)), _reduce_numba)


def _reduce_numba(array: Any) -> Any:
    return _make_numba, (array.copy_to_host(),)


def _make_numba(host: Any) -> Any:
    cuda = import_module("numba.cuda")

    with _device(lambda ordinal: cuda.gpus[ordinal]):
        return cuda.to_device(host)


def _torch_reducers() -> Mapping[type, _Reducer]:
    torch = import_module("torch")

    return {torch.Tensor: _reduce_torch, torch.nn.Parameter: _reduce_torch}


def _reduce_torch(tensor: Any) -> Any:
    torch = import_module("torch")

    if (
        tensor.device.type not in ("cpu", _CUDA)
        or tensor.layout is not torch.strided
        or tensor.is_quantized
        or tensor._backward_hooks  # noqa: SLF001 - as its own ``__reduce_ex__`` asks
        or tensor.__dict__
    ):
        return tensor.__reduce_ex__(2)
    host = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    # As bytes, since NumPy does not know all of its dtypes.
    data = host.reshape(-1).view(torch.uint8).numpy()
    is_parameter = isinstance(tensor, torch.nn.Parameter)
    return _make_torch, (
        data,
        tensor.dtype,
        tuple(tensor.shape),
        tensor.device.type,
        tensor.requires_grad,
        is_parameter,
    )


def _make_torch(
    data: Any,
    dtype: Any,
    shape: tuple[int, ...],
    device: str,
    requires_grad: bool,  # noqa: FBT001 - from a pickle, by position
    is_parameter: bool,  # noqa: FBT001
) -> Any:
    torch = import_module("torch")

    if not data.flags.writeable:
        data = data.copy()
    tensor = torch.from_numpy(data).view(dtype).reshape(shape)
    if device == _CUDA and torch.cuda.is_available():
        ordinal = device_ordinal()
        tensor = tensor.to(_CUDA if ordinal is None else f"{_CUDA}:{ordinal}")
    if is_parameter:
        return torch.nn.Parameter(tensor, requires_grad)
    return tensor.requires_grad_(requires_grad)


def _device(choose: Callable[[int], AbstractContextManager[Any]]) -> AbstractContextManager[Any]:
    """Return a context in which the device of the present task is current."""
    ordinal = device_ordinal()
    return nullcontext() if ordinal is None else choose(ordinal)


#: By the module that somebody has imported if there are any arrays of it: what returns how they are
#: taken apart.
DEVICE_PACKAGES: Final[Mapping[str, Callable[[], Mapping[type, _Reducer]]]] = {
    "cupy": _cupy_reducers,
    "numba.cuda": _numba_reducers,
    "torch": _torch_reducers,
}
