"""hocket's client: submit, map, gather, futures.

>>> from hocket.client import Client  # doctest: +SKIP
>>> client = Client("tcp://127.0.0.1:8786")  # doctest: +SKIP
>>> client.gather(client.map(abs, [-1, -2]))  # doctest: +SKIP
[1, 2]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hocket.client.client import Client, current_client
    from hocket.client.futures import Future
    from hocket.client.progress import progress
    from hocket.client.waiting import as_completed, fire_and_forget, wait

__all__ = [
    "Client",
    "Future",
    "as_completed",
    "current_client",
    "fire_and_forget",
    "progress",
    "wait",
]

#: Loaded when asked for (PEP 562), so that the machine alone can be imported without event loops.
_HOMES: Final = {
    "Client": "client",
    "Future": "futures",
    "as_completed": "waiting",
    "current_client": "client",
    "fire_and_forget": "waiting",
    "progress": "progress",
    "wait": "waiting",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
