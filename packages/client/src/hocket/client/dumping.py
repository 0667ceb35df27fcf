"""What there is to know of a cluster and a client at one moment, for reports and for later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from hocket.client.explaining import Explained
from hocket.client.shell.session import ClientSession
from hocket.client.states import PENDING
from hocket.core.package_versions import package_versions

__all__ = ["ClientFacts", "ClusterFacts", "client_facts", "dump"]

#: Of more tasks that a client waits for, the first are explained.
_EXPLAINED_MAX: Final = 1000
#: Settings that are nobody's business begin so.
_HIDDEN: Final = "security."


class ClientFacts(NamedTuple):
    """What a client knows by itself."""

    #: How many futures have which status.
    statuses: dict[str, int]
    pending: list[str]
    #: Those of the pending ones that are to be explained.
    unexplained: list[str]


class ClusterFacts(NamedTuple):
    """What it was told by its scheduler."""

    scheduler: dict[str, Any]
    processing: dict[str, list[str]]
    holds: dict[str, list[str]]
    explained: list[Explained]


def client_facts(session: ClientSession) -> ClientFacts:
    """Return what a client knows of its futures."""
    with session.lock:
        states = list(session.begin().states.values())
        statuses: dict[str, int] = {}
        for state in states:
            statuses[state.status] = statuses.get(state.status, 0) + 1
        pending = [state.key for state in states if state.status is PENDING]
    return ClientFacts(statuses, pending, pending[:_EXPLAINED_MAX])


def dump(
    session: ClientSession, client: ClientFacts, cluster: ClusterFacts, path: str | Path | None
) -> dict[str, Any]:
    """Return the state of a client and its cluster as plain data, and write it as JSON."""
    flat = session.settings.to_flat().items()
    found = {
        "client": {
            "name": session.name,
            "futures": client.statuses,
            "pending": client.pending,
            "settings": {name: value for name, value in flat if not name.startswith(_HIDDEN)},
            "versions": package_versions(),
        },
        "scheduler": cluster.scheduler,
        "processing": cluster.processing,
        "holds": cluster.holds,
        "why": {one.key: str(one) for one in cluster.explained},
    }
    if path is not None:
        Path(path).write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")
    return found
