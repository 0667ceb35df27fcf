"""The client record: what it wants, which functions it believes the scheduler to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hocket.scheduler.state.outbox import FRAME_NBYTES_AIM, ClientOutbox, Outbox

if TYPE_CHECKING:
    from hocket.scheduler.state.task import Task, TaskClass

__all__ = ["Client"]


class Client:
    """One client session."""

    __slots__ = ("functions", "id", "name", "outbox", "tags", "wanted")

    def __init__(
        self,
        id_: int,
        name: str,
        full: dict[int, Outbox[Any]],
        frame_nbytes_aim: int = FRAME_NBYTES_AIM,
    ) -> None:
        self.id = id_
        self.name = name
        #: Tasks that it holds futures of (a dict for its order).
        self.wanted: dict[Task, None] = {}
        self.functions: dict[bytes, TaskClass] = {}
        #: By user priority: where its next submission stands among those of all clients.
        self.tags: dict[int, int] = {}
        self.outbox = ClientOutbox(id_, full, frame_nbytes_aim)

    def __repr__(self) -> str:
        return f"<Client {self.name} wanting {len(self.wanted)}>"
