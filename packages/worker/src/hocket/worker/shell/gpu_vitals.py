"""How the GPUs of a worker are: what NVML tells of those that have a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hocket.core.units import NBYTES_MAX
from hocket.protocol.feed import fit_text
from hocket.protocol.messages.feed import DEVICES_MAX, GpuSampled
from hocket.protocol.rules import NAME_LENGTH_MAX

__all__ = ["GpuVitals"]

#: What cannot be measured.
_UNKNOWN: Final = -1.0


class GpuVitals:
    """Looks at GPUs; does nothing where there are none, or no NVML.

    Parameters
    ----------
    names
        Of the worker's GPUs: UUIDs, also of MIG instances, or numbers.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._nvml: Any = None
        self._handles: dict[str, Any] = {}
        self._models: dict[str, str] = {}
        if not names:
            return
        try:
            import pynvml  # noqa: PLC0415 (only where there are GPUs)
        except ImportError:
            return
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return
        self._nvml = pynvml
        for name in names[:DEVICES_MAX]:
            handle = self._ask(self._find, name)
            if handle is not None:
                self._handles[name] = handle
                model = self._ask(pynvml.nvmlDeviceGetName, handle)
                text = model.decode() if isinstance(model, bytes) else model or ""
                self._models[name] = fit_text(text, NAME_LENGTH_MAX)

    def look(self) -> list[GpuSampled]:
        """Return how each is now; some tenths of a millisecond each."""
        return [self._sample(name, handle) for name, handle in self._handles.items()]

    def close(self) -> None:
        """Look no more. May be called twice."""
        nvml, self._nvml = self._nvml, None
        self._handles.clear()
        if nvml is not None:
            nvml.nvmlShutdown()

    def _sample(self, name: str, handle: Any) -> GpuSampled:
        nvml = self._nvml
        # (Of a MIG instance the use is not known.)
        use = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        return GpuSampled(
            fit_text(name, NAME_LENGTH_MAX),
            self._models[name],
            _UNKNOWN if use is None else min(max(use.gpu / 100, 0.0), 1.0),
            0 if memory is None else min(int(memory.used), NBYTES_MAX),
            0 if memory is None else min(int(memory.total), NBYTES_MAX),
        )

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what NVML answers, or None where it refuses."""
        try:
            return function(*arguments)
        except self._nvml.NVMLError:
            return None

    def _find(self, name: str) -> Any:
        if name.isascii() and name.isdecimal():
            return self._nvml.nvmlDeviceGetHandleByIndex(int(name))
        return self._nvml.nvmlDeviceGetHandleByUUID(name)
