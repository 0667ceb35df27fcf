"""Values on their way into queues and variables, and out: pickles, with futures by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hocket.client.futures import Future
from hocket.client.shell.coordinating import confirm
from hocket.client.shell.guests import introduce
from hocket.protocol.messages import ItemsGiven
from hocket.protocol.serialize import ArgumentPickler, load_arguments

if TYPE_CHECKING:
    from hocket.client.shell.session import ClientSession
    from hocket.client.states import Request

__all__ = ["dump", "take"]


def dump(value: Any, session: ClientSession) -> tuple[bytes, list[str]]:
    """Return the pickle of a value, and the keys of the futures in it, however deep they lie.

    It is to be sent in this session next.

    Raises
    ------
    SerializationError
        It cannot be pickled.
    OtherCluster
        A future in it is of another cluster.
    """
    pickler = ArgumentPickler(owner=session)
    data = pickler.dumps((value,), {})
    if pickler.guests:
        introduce(session, pickler.guests)
    return data, pickler.references


def take(session: ClientSession, request: Request) -> list[Any]:
    """Return the values that came as an answer, with futures of this client in them.

    Raises
    ------
    SerializationError
        One cannot be unpickled here.
    """
    answer = request.reply
    assert isinstance(answer, ItemsGiven)
    states, request.states = request.states, []
    # (Of a key that came twice, one future goes at once.)
    futures = {state.key: Future(state, session) for state in states}
    confirm(session, request)
    return [load_arguments(value, futures)[0][0] for value in answer.values]
