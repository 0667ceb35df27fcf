"""The network: who is where, how long things take, and requests for data.

Control messages travel on links (:mod:`hocket.testing.link`); data is asked for and answered
without a session, as on the real data connections: a request may fail before or after it was done.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import msgspec

from hocket.protocol.codec import data_reply_decoder, data_request_decoder, encode
from hocket.protocol.messages import DataReply, DataStored, FetchData, PutData
from hocket.testing.clock import Timeline
from hocket.testing.swarm import Swarm
from hocket.testing.trace import Trace, summary

__all__ = ["DataHost", "Network"]

Reply = Callable[[DataReply | DataStored, list[bytes]], None]


class DataHost(Protocol):
    """Whoever answers requests for data."""

    name: str
    alive: bool

    def serve(
        self, request: FetchData | PutData, buffers: list[bytes]
    ) -> tuple[DataReply | DataStored, list[bytes]]:
        """Answer a request."""


class Network:
    """Everything between the hosts.

    Attributes
    ----------
    rough
        Whether faults may happen; False once they have stopped.
    """

    #: What a link carries, in bytes a second.
    bandwidth_nbytes_per_s = 1e9

    def __init__(self, timeline: Timeline, random: Random, trace: Trace, swarm: Swarm) -> None:
        self.timeline = timeline
        self.random = random
        self.trace = trace
        self.swarm = swarm
        self.rough = True
        self.data_hosts: dict[str, DataHost] = {}

    def latency_s(self, nbytes: int = 0) -> float:
        """Draw how long so many bytes are on their way."""
        latency_s = self.swarm.latency_s * (0.5 + self.random.random())
        if self.swarm.faults.slow_links and self.rough:
            latency_s *= self.random.paretovariate(1.2)
        return latency_s + nbytes / self.bandwidth_nbytes_per_s

    def request(
        self,
        asker: str,
        address: str,
        request: FetchData | PutData,
        buffers: list[bytes],
        on_reply: Reply,
        on_failure: Callable[[str], None],
    ) -> None:
        """Ask the data server at an address for something; exactly one of the two is called."""
        fails = self.swarm.faults.data_failures and self.rough and self.random.random() < 0.15
        fails_late = fails and self.random.random() < 0.5
        payload = encode([request])

        def arrive() -> None:
            host = self.data_hosts.get(address)
            if host is None or not host.alive or (fails and not fails_late):
                self.timeline.after(self.latency_s(), lambda: on_failure("unreachable"))
                return
            [asked] = data_request_decoder.decode(payload)
            self.trace.note(host.name, f"is asked by {asker} to {summary([asked])}")
            reply, answers = host.serve(_as_request(asked), buffers)
            if fails_late:
                self.timeline.after(self.latency_s(), lambda: on_failure("cut off"))
                return
            reply_payload = encode([reply])
            nbytes = sum(map(len, answers))
            self.timeline.after(
                self.latency_s(nbytes),
                lambda: on_reply(_decoded_reply(reply_payload), answers),
            )

        self.timeline.after(self.latency_s(sum(map(len, buffers))), arrive)


def _as_request(message: msgspec.Struct) -> FetchData | PutData:
    assert isinstance(message, FetchData | PutData)
    return message


def _decoded_reply(payload: bytes) -> Any:
    [reply] = data_reply_decoder.decode(payload)
    return reply
