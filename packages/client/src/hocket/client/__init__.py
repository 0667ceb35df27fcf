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
    from hocket.client.explaining import Explained
    from hocket.client.futures import Future
    from hocket.client.progress import progress
    from hocket.client.task_client import get_client
    from hocket.client.waiting import as_completed, fire_and_forget, wait
    from hocket.core.errors import Reschedule
    from hocket.core.task_context import current_task, rejoin, secede

__all__ = [
    "Client",
    "Explained",
    "Future",
    "Reschedule",
    "as_completed",
    "current_client",
    "current_task",
    "fire_and_forget",
    "get_client",
    "progress",
    "rejoin",
    "secede",
    "wait",
]

#: Loaded when asked for (PEP 562), so that the machine alone can be imported without event loops.
_HOMES: Final = {
    "Client": "hocket.client.client",
    "Explained": "hocket.client.explaining",
    "Future": "hocket.client.futures",
    "Reschedule": "hocket.core.errors",
    "as_completed": "hocket.client.waiting",
    "current_client": "hocket.client.client",
    "current_task": "hocket.core.task_context",
    "fire_and_forget": "hocket.client.waiting",
    "get_client": "hocket.client.task_client",
    "progress": "hocket.client.progress",
    "rejoin": "hocket.core.task_context",
    "secede": "hocket.core.task_context",
    "wait": "hocket.client.waiting",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
