"""The network: who is where, how long things take, and requests for data.

Control messages travel on links (:mod:`hocket.testing.link`): they are small, and have latency
alone. Data is asked for and answered without a session, as on the real data connections: a request
may fail before or after it was done, and values share the bandwidth of the hosts they come from and
go to (:mod:`hocket.testing.bandwidth`). Nothing orders one request after another, or data after
control.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

import msgspec

from hocket.protocol.codec import data_reply_decoder, data_request_decoder, encode
from hocket.protocol.messages import DataReply, DataStored, FetchData, PeerBusy, PutData
from hocket.testing.bandwidth import Bandwidth, Flow
from hocket.testing.chance import stream
from hocket.testing.clock import Timeline
from hocket.testing.swarm import Swarm
from hocket.testing.trace import Trace, summary

__all__ = ["DataAnswer", "DataHost", "Network", "Party", "Served"]

#: What fits in one packet shares no bandwidth.
_FLOW_NBYTES_MIN: Final = 1500
#: On a slow link a message takes at most so many times as long. (Without a bound one of a million
#: takes a quarter of an hour, and all that is said after it waits behind it.)
_SLOWNESS_MAX: Final = 1000.0


class Served:
    """What a host answers to a request for data.

    Parameters
    ----------
    reply, buffers
        As they travel.
    nbytes
        The size that the values are said to have, which is what their way takes its time for.
    on_end
        Called when that way is over, well or not.
    """

    __slots__ = ("buffers", "nbytes", "on_end", "reply")

    def __init__(
        self,
        reply: DataAnswer,
        buffers: list[bytes],
        nbytes: int = 0,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.reply = reply
        self.buffers = buffers
        self.nbytes = nbytes
        self.on_end = on_end


DataAnswer = DataReply | DataStored | PeerBusy
Reply = Callable[[DataAnswer, list[bytes]], None]


class Party(Protocol):
    """A host, as the network sees it."""

    name: str
    alive: bool
    #: It does nothing before this time.
    hung_until_s: float
    #: Draws what happens to its requests.
    data_random: Random

    def when_awake(self, action: Callable[[], None]) -> None:
        """Do something, now or when it goes on; never if it is gone."""


class DataHost(Party, Protocol):
    """Whoever answers requests for data."""

    def serve(self, request: FetchData | PutData, buffers: list[bytes]) -> Served:
        """Answer a request."""


class Network:
    """Everything between the hosts.

    Attributes
    ----------
    rough
        Whether faults may happen; False once they have stopped.
    runs
        How often each task has begun to run.
    """

    #: What a link carries, in bytes a second, as far as a single message is concerned.
    bandwidth_nbytes_per_s = 1e9

    def __init__(self, timeline: Timeline, seed: int, trace: Trace, swarm: Swarm) -> None:
        self.timeline = timeline
        self.seed = seed
        self.trace = trace
        self.swarm = swarm
        self.rough = True
        self.data_hosts: dict[str, DataHost] = {}
        #: By address: workers that take calls of actors; and how many lines to them there were.
        self.call_hosts: dict[str, Any] = {}
        self.lines_count = 0
        self.bandwidth = Bandwidth(timeline, swarm.bandwidth_nbytes_per_s)
        self.runs: Counter[str] = Counter()
        #: Requests for data on their way, by who asks and by who answers.
        self.requests_of: dict[Party, dict[_Request, None]] = {}

    def stream(self, *names: object) -> Random:
        """Return the stream of chance of this name."""
        return stream(self.seed, *names)

    def latency_s(self, random: Random, nbytes: int = 0) -> float:
        """Draw how long so many bytes are on their way."""
        latency_s = self.swarm.latency_s * (0.5 + random.random())
        if self.swarm.faults.slow_links and self.rough:
            latency_s *= min(random.paretovariate(1.2), _SLOWNESS_MAX)
        return latency_s + nbytes / self.bandwidth_nbytes_per_s

    def request(
        self,
        asker: Party,
        address: str,
        request: FetchData | PutData,
        buffers: list[bytes],
        on_reply: Reply,
        on_failure: Callable[[str], None],
    ) -> None:
        """Ask the data server at an address for something; exactly one of the two is called.

        (None is if the asker is gone.)
        """
        _Request(self, asker, address, request, buffers, on_reply, on_failure)

    def host_is_gone(self, host: Party) -> None:
        """Let what a host was sending and getting end: its process is gone."""
        for request in self.requests_of.pop(host, {}):
            request.lost(host)


class _Request:
    """One request for data, from question to answer."""

    def __init__(
        self,
        network: Network,
        asker: Party,
        address: str,
        request: FetchData | PutData,
        buffers: list[bytes],
        on_reply: Reply,
        on_failure: Callable[[str], None],
    ) -> None:
        self._network = network
        self._asker = asker
        self._address = address
        self._buffers = buffers
        self._on_reply = on_reply
        self._on_failure = on_failure
        self._random = random = asker.data_random
        self._payload = encode([request])
        self._flow: Flow | None = None
        self._host: DataHost | None = None
        self._is_over = False
        self._on_end: Callable[[], None] | None = None
        fails = network.swarm.faults.data_failures and network.rough and random.random() < 0.15
        #: 0: before it arrives, 1: when all is done; None: not at all.
        self._fails_at = random.randrange(2) if fails else None
        self._nbytes = sum(map(sum, request.sizes)) if isinstance(request, PutData) else 0
        network.requests_of.setdefault(asker, {})[self] = None
        self._later(self._leave)

    def _later(self, action: Callable[[], None]) -> None:
        self._network.timeline.after(self._network.latency_s(self._random), action)

    def _send(self, source: str, target: str, nbytes: int, then: Callable[[], None]) -> None:
        def came() -> None:
            self._flow = None
            then()

        if nbytes < _FLOW_NBYTES_MIN:
            then()
        else:
            self._flow = self._network.bandwidth.start(source, target, nbytes, came)

    def _leave(self) -> None:
        host = self._network.data_hosts.get(self._address)
        name = self._address if host is None else host.name
        self._send(self._asker.name, name, self._nbytes, self._arrive)

    def _arrive(self) -> None:
        network = self._network
        host = network.data_hosts.get(self._address)
        if host is None or not host.alive or self._fails_at == 0:
            self._fail_soon("unreachable")
            return
        self._host = host
        if not self._is_over:
            network.requests_of.setdefault(host, {})[self] = None
            if host.hung_until_s > network.timeline.now_s:
                network.timeline.after(network.swarm.silence_s, self._give_up_waiting)
        host.when_awake(self._serve)

    def _serve(self) -> None:
        """Answer, even if nobody waits any more: the request has come."""
        host, network, asker = self._host, self._network, self._asker
        assert host is not None
        [asked] = data_request_decoder.decode(self._payload)
        network.trace.note(host.name, f"is asked by {asker.name} to {summary([asked])}")
        served = host.serve(_as_request(asked), self._buffers)
        if self._is_over:
            if served.on_end is not None:
                served.on_end()
            return
        self._on_end = served.on_end
        if self._fails_at == 1:
            nbytes = served.nbytes // 2
            self._send(host.name, asker.name, nbytes, lambda: self._fail_soon("cut off"))
            return
        payload = encode([served.reply])
        self._send(
            host.name,
            asker.name,
            served.nbytes,
            lambda: self._later(lambda: self._came(payload, served.buffers)),
        )

    def _came(self, payload: bytes, buffers: list[bytes]) -> None:
        if not self._is_over:
            self._end()
            [reply] = data_reply_decoder.decode(payload)
            self._asker.when_awake(lambda: self._on_reply(_as_reply(reply), buffers))

    def _give_up_waiting(self) -> None:
        host = self._host
        assert host is not None
        if host.hung_until_s > self._network.timeline.now_s:
            self._fail_soon("silent")

    def _fail_soon(self, reason: str) -> None:
        """Let the asker learn that there will be no answer."""
        if not self._is_over:
            self._end()
            self._later(lambda: self._asker.when_awake(lambda: self._on_failure(reason)))

    def lost(self, host: Party) -> None:
        """Take note that one of the two is gone."""
        if host is self._asker:
            self._end()
        else:
            self._fail_soon("cut off")

    def _end(self) -> None:
        self._is_over = True
        if self._on_end is not None:
            self._on_end()
        if self._flow is not None:
            self._network.bandwidth.stop(self._flow)
        for host in (self._asker, self._host):
            if host is not None:
                self._network.requests_of.get(host, {}).pop(self, None)


def _as_request(message: msgspec.Struct) -> FetchData | PutData:
    assert isinstance(message, FetchData | PutData)
    return message


def _as_reply(message: Any) -> DataAnswer:
    assert isinstance(message, DataAnswer)
    return message
