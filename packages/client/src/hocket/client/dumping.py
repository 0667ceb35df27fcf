"""What there is to know of a cluster and a client at one moment, for reports and for later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hocket.client.states import PENDING
from hocket.core.package_versions import package_versions

if TYPE_CHECKING:
    from hocket.client.client import Client

__all__ = ["dump"]

#: Of more tasks that a client waits for, the first are explained.
_EXPLAINED_MAX: Final = 1000
#: Settings that are nobody's business begin so.
_HIDDEN: Final = "security."


def dump(client: Client, path: str | Path | None) -> dict[str, Any]:
    """Return the state of a client and its cluster as plain data, and write it as JSON."""
    session = client._session  # noqa: SLF001 - a part of the client
    with session.lock:
        states = list(session.begin().states.values())
        statuses: dict[str, int] = {}
        for state in states:
            statuses[state.status] = statuses.get(state.status, 0) + 1
        pending = [state.key for state in states if state.status is PENDING]
    flat = client.settings.to_flat().items()
    explained = client.why(pending[:_EXPLAINED_MAX]) if pending else []
    found = {
        "client": {
            "name": client.name,
            "futures": statuses,
            "pending": pending,
            "settings": {name: value for name, value in flat if not name.startswith(_HIDDEN)},
            "versions": package_versions(),
        },
        "scheduler": client.scheduler_info(),
        "processing": client.processing(),
        "holds": client.has_what(),
        "why": {one.key: str(one) for one in explained},
    }
    if path is not None:
        Path(path).write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")
    return found
