"""How a simulated worker gets data from others, and gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from hocket.protocol.messages import DataReply, DataStored, FetchData, PeerBusy, PutData
from hocket.testing.disk import Disk
from hocket.testing.executor import Stuck, encode_value
from hocket.testing.network import DataAnswer, Network, Party, Served
from hocket.worker.machine import Answer, WorkerMachine
from hocket.worker.policy.serving import Serving
from hocket.worker.state import Datum, Fetch

__all__ = ["DataDesk", "Room"]

#: More is a large request: small, so that histories come to it.
_LARGE_NBYTES_MIN = 10_000


class Room(Party, Protocol):
    """A worker, as its data desk sees it."""

    address: str
    machine: WorkerMachine
    network: Network

    def note(self, event: str) -> None:
        """Write a line of the trace."""

    def changed(self) -> None:
        """Do what follows from anything that the machine has seen."""


class DataDesk:
    """The data server of a worker, and its client.

    Parameters
    ----------
    host
        The worker.
    disk
        Where some of its values are.
    requests_max
        Large requests that it answers at once.
    """

    def __init__(self, host: Room, disk: Disk, requests_max: int) -> None:
        self._host = host
        self._disk = disk
        self._serving = Serving(requests_max)

    def fetch(self, fetch: Fetch) -> None:
        """Ask a peer for what the machine wants."""
        keys = fetch.keys
        self._host.note(f"asks {fetch.address} for {' '.join(keys)}")
        machine, timeline = self._host.machine, self._host.network.timeline

        def on_reply(reply: DataAnswer, buffers: list[bytes]) -> None:
            if isinstance(reply, PeerBusy):
                self._host.note(f"finds {fetch.address} busy")
                machine.fetch_busy(fetch, reply.addresses, timeline.now_s)
            else:
                assert isinstance(reply, DataReply)
                self._host.note(f"gets from {fetch.address}: {_in_words(keys, reply)}")
                machine.fetched(fetch, _answers(reply, buffers), timeline.now_s)
            self._host.changed()

        def on_failure(reason: str) -> None:
            self._host.note(f"gets nothing from {fetch.address}: {reason}")
            machine.fetch_failed(fetch, timeline.now_s)
            self._host.changed()

        request = FetchData(keys, self._host.address)
        self._host.network.request(self._host, fetch.address, request, [], on_reply, on_failure)

    def serve(self, request: FetchData | PutData, buffers: list[bytes]) -> Served:
        """Answer a request for data, or keep what a client puts here."""
        if isinstance(request, PutData):
            sizes = [sum(row) for row in request.sizes]
            for key, buffer, nbytes in zip(request.keys, buffers, sizes, strict=True):
                self._host.machine.put(key, msgspec.msgpack.decode(buffer), nbytes)
            self._host.changed()
            return Served(DataStored(sizes), [])
        data = self._host.machine.held(request.keys)
        nbytes = sum(datum.nbytes for datum in data if datum is not None)
        serving = self._serving
        if nbytes < _LARGE_NBYTES_MIN:
            return Served(*self._replied(data), nbytes)
        if not serving.begin():
            return Served(PeerBusy(serving.takers(data, request.source)), [])

        def on_end() -> None:
            serving.end()
            if request.source:
                serving.gave([one for one in data if one is not None], request.source)

        return Served(*self._replied(data), nbytes, on_end)

    def _replied(self, data: Sequence[Datum | None]) -> tuple[DataReply, list[bytes]]:
        reply = DataReply([], [], [])
        answers = []
        for datum in data:
            value, is_here = self._look(datum)
            is_stuck = isinstance(value, Stuck)
            reply.errors.append("it cannot be pickled" if is_stuck else "")
            reply.attempts.append(-1 if datum is None or not is_here else datum.attempt)
            if datum is None or not is_here or is_stuck:
                reply.sizes.append(None)
            else:
                buffer = encode_value([value, datum.nbytes])
                reply.sizes.append([len(buffer)])
                answers.append(buffer)
        return reply, answers

    def _look(self, datum: Datum | None) -> tuple[object, bool]:
        """Return a value, wherever it is, and whether it is there."""
        if datum is None or datum.want is None:
            return (None, False) if datum is None else (datum.value, True)
        file = self._disk.look(datum, datum.value)
        if file is None:
            self._host.changed()
            return None, False
        return file.value, True


def _answers(reply: DataReply, buffers: list[bytes]) -> list[Answer]:
    answers = []
    rest = iter(buffers)
    for sizes, attempt, error in zip(reply.sizes, reply.attempts, reply.errors, strict=True):
        if sizes is None:
            answers.append(Answer(attempt, error=error))
        else:
            value, nbytes = msgspec.msgpack.decode(next(rest))
            answers.append(Answer(attempt, nbytes, value))
    return answers


def _in_words(keys: list[str], reply: DataReply) -> str:
    return " ".join(
        f"{key}#{attempt}" if attempt >= 0 else f"no {key}"
        for key, attempt in zip(keys, reply.attempts, strict=True)
    )
