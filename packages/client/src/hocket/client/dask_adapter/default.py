"""Being the scheduler that dask uses when nobody names one."""

from __future__ import annotations

import threading
from typing import Any, Final

from hocket.core.errors import SettingsError

__all__ = ["end_default", "make_default"]

#: Shuffles go by tasks: dask's others need one disk that all workers see, or dask.distributed's
#: workers.
_METHODS: Final = {"dataframe.shuffle.method": "tasks", "array.rechunk.method": "tasks"}

_lock: Final = threading.Lock()
#: The clients that were made the default and are open, the last one is it.
_defaults: list[Any] = []
#: dask's configuration as it was before the first.
_before: dict[str, Any] = {}


def make_default(client: Any) -> None:
    """Have dask compute with a client, and shuffle in a way that works on many workers.

    Raises
    ------
    SettingsError
        dask is not installed.
    """
    try:
        import dask  # noqa: PLC0415 - only who wants it needs it
    except ImportError:
        raise SettingsError(
            name="set_as_default",
            value=True,
            allowed="it needs dask: pip install hocket-client[dask]",
            source="Client()",
        ) from None
    with _lock:
        if not _defaults:
            _before.update({name: dask.config.get(name, None) for name in ("scheduler", *_METHODS)})
        _defaults.append(client)
        dask.config.set({"scheduler": client, **_METHODS})


def end_default(client: Any) -> None:
    """Have dask compute as before, with the default before this one if that is still open."""
    with _lock:
        if not any(one is client for one in _defaults):
            return
        import dask  # noqa: PLC0415 - it is loaded already

        _defaults[:] = [one for one in _defaults if one is not client]
        # Somebody may have set another one meanwhile: it stays.
        is_used = dask.config.get("scheduler", None) is client
        if _defaults:
            if is_used:
                dask.config.set({"scheduler": _defaults[-1]})
            return
        if is_used:
            dask.config.set({"scheduler": _before["scheduler"]})
        changed = {name: _before[name] for name, ours in _METHODS.items() if _is(name, ours)}
        dask.config.set(changed)


def _is(name: str, value: object) -> bool:
    import dask  # noqa: PLC0415 - it is loaded already

    return bool(dask.config.get(name, None) == value)
