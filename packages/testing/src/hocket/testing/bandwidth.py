"""Shared bandwidth: what flows between hosts at once gets max-min fair parts of their links.

Each host has a link up and a link down. A flow from one host to another takes part of the first's
link up and of the second's link down, and the network between them is never short. Rates are those
in which no flow can have more without another, that has no more than it, having less; they are
found by progressive filling (Bertsekas and Gallager, "Data Networks", 2nd edition, section 6.5.2):
the rates of all flows rise together until a link is full, those that cross it stay where they are,
and the others rise on.

Rates are found anew whenever flows begin or end, once for all that do so at one moment, and only
for the flows that share a link with them, directly or through others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush, heapreplace

from hocket.testing.clock import Timeline

__all__ = ["Bandwidth", "Flow", "Pipe"]


class Pipe:
    """One direction of a host's link.

    Attributes
    ----------
    capacity_nbytes_per_s
        What it carries.
    flows
        What crosses it, in the order in which it began.
    """

    __slots__ = ("capacity_nbytes_per_s", "count", "flows", "free_nbytes_per_s", "number")

    def __init__(self, number: int, capacity_nbytes_per_s: float) -> None:
        self.number = number
        self.capacity_nbytes_per_s = capacity_nbytes_per_s
        self.flows: dict[Flow, None] = {}
        # While rates are found: what is not given away, and how many flows have no rate yet.
        self.free_nbytes_per_s = 0.0
        self.count = 0


class Flow:
    """Bytes on their way from one host to another.

    Attributes
    ----------
    left_nbytes
        What had not come at `updated_s`.
    rate_nbytes_per_s
        Its speed since then.
    """

    __slots__ = (
        "down",
        "left_nbytes",
        "number",
        "on_end",
        "rate_nbytes_per_s",
        "up",
        "updated_s",
        "version",
    )

    def __init__(
        self, number: int, up: Pipe, down: Pipe, nbytes: int, on_end: Callable[[], None]
    ) -> None:
        self.number = number
        self.up = up
        self.down = down
        self.left_nbytes = float(nbytes)
        self.rate_nbytes_per_s = 0.0
        self.updated_s = 0.0
        self.on_end = on_end
        #: Rises with each change of the rate, so that former expectations are known as such.
        self.version = 0


class Bandwidth:
    """All flows of a network.

    Parameters
    ----------
    timeline
        Says what time it is, and ends flows in theirs.
    capacity_nbytes_per_s
        What the link of a host carries in each direction, unless `set_capacity` says otherwise.
    """

    def __init__(self, timeline: Timeline, capacity_nbytes_per_s: float) -> None:
        self._timeline = timeline
        self._capacity_nbytes_per_s = capacity_nbytes_per_s
        self._pipes: dict[tuple[str, bool], Pipe] = {}
        self._flows_count = 0
        #: Expected ends: ``(time, number of the flow, version of the flow, flow)``.
        self._ends: list[tuple[float, int, int, Flow]] = []
        self._wake_s = float("inf")
        #: The pipes whose flows have changed in this moment.
        self._changed: dict[Pipe, None] = {}

    def set_capacity(self, host: str, up_nbytes_per_s: float, down_nbytes_per_s: float) -> None:
        """Say what the link of a host carries."""
        self._pipe(host, is_up=True).capacity_nbytes_per_s = up_nbytes_per_s
        self._pipe(host, is_up=False).capacity_nbytes_per_s = down_nbytes_per_s

    def start(self, source: str, target: str, nbytes: int, on_end: Callable[[], None]) -> Flow:
        """Let bytes flow; ``on_end`` is called when the last of them has come."""
        self._flows_count += 1
        up, down = self._pipe(source, is_up=True), self._pipe(target, is_up=False)
        flow = Flow(self._flows_count, up, down, nbytes, on_end)
        flow.updated_s = self._timeline.now_s
        for pipe in (up, down):
            pipe.flows[flow] = None
            self._change(pipe)
        return flow

    def stop(self, flow: Flow) -> None:
        """Let a flow end before its time, if it has not ended; ``on_end`` is not called."""
        if flow in flow.up.flows:
            self._take_out(flow)

    def flows(self) -> list[Flow]:
        """Return all flows, in the order in which they began."""
        found = {flow for pipe in self._pipes.values() for flow in pipe.flows}
        return sorted(found, key=lambda flow: flow.number)

    def _pipe(self, host: str, *, is_up: bool) -> Pipe:
        pipe = self._pipes.get((host, is_up))
        if pipe is None:
            pipe = Pipe(len(self._pipes), self._capacity_nbytes_per_s)
            self._pipes[host, is_up] = pipe
        return pipe

    def _take_out(self, flow: Flow) -> None:
        flow.version += 1
        for pipe in (flow.up, flow.down):
            del pipe.flows[flow]
            self._change(pipe)

    def _change(self, pipe: Pipe) -> None:
        if not self._changed:
            self._timeline.after(0.0, self._share_anew)
        self._changed[pipe] = None

    def _share_anew(self) -> None:
        """Find the rates of all flows that the changes of this moment may concern."""
        pipes, flows = _connected(self._changed)
        self._changed = {}
        now_s = self._timeline.now_s
        rates = fair_rates(pipes)
        for flow in flows:
            rate = rates[flow]
            if rate == flow.rate_nbytes_per_s:
                continue
            flow.left_nbytes -= flow.rate_nbytes_per_s * (now_s - flow.updated_s)
            flow.updated_s = now_s
            flow.rate_nbytes_per_s = rate
            flow.version += 1
            end_s = now_s + max(0.0, flow.left_nbytes) / rate
            heappush(self._ends, (end_s, flow.number, flow.version, flow))
        self._plan_wake()

    def _plan_wake(self) -> None:
        ends = self._ends
        while ends and ends[0][2] != ends[0][3].version:
            heappop(ends)
        if ends and ends[0][0] < self._wake_s:
            self._wake_s = ends[0][0]
            self._timeline.at(self._wake_s, self._wake)

    def _wake(self) -> None:
        now_s = self._timeline.now_s
        if now_s == self._wake_s:
            self._wake_s = float("inf")
        ended = []
        while self._ends and self._ends[0][0] <= now_s:
            _, _, version, flow = heappop(self._ends)
            if version == flow.version:
                self._take_out(flow)
                ended.append(flow)
        self._plan_wake()
        for flow in ended:
            flow.on_end()


def _connected(changed: Iterable[Pipe]) -> tuple[list[Pipe], list[Flow]]:
    """Return the pipes that share flows with these, directly or through others; and their flows."""
    todo = list(changed)
    pipes = dict.fromkeys(todo)
    flows: dict[Flow, None] = {}
    while todo:
        for flow in todo.pop().flows:
            if flow not in flows:
                flows[flow] = None
                for pipe in (flow.up, flow.down):
                    if pipe not in pipes:
                        pipes[pipe] = None
                        todo.append(pipe)
    return list(pipes), list(flows)


def fair_rates(pipes: Iterable[Pipe]) -> dict[Flow, float]:
    """Return the max-min fair rate of each flow that crosses these pipes.

    With a flow, both of its pipes must be among them.
    """
    heap = []
    for pipe in pipes:
        pipe.count = len(pipe.flows)
        pipe.free_nbytes_per_s = pipe.capacity_nbytes_per_s
        if pipe.count:
            heap.append((pipe.free_nbytes_per_s / pipe.count, pipe.number, pipe))
    heapify(heap)
    rates: dict[Flow, float] = {}
    while heap:
        bound, number, pipe = heap[0]
        if not pipe.count:
            heappop(heap)
            continue
        # What a flow may have of a pipe never falls while others get less: an entry is a lower
        # bound, and right if it is what the pipe gives now.
        share = pipe.free_nbytes_per_s / pipe.count
        if share > bound:
            heapreplace(heap, (share, number, pipe))
            continue
        heappop(heap)
        for flow in pipe.flows:
            if flow not in rates:
                rates[flow] = share
                other = flow.down if pipe is flow.up else flow.up
                other.free_nbytes_per_s -= share
                other.count -= 1
        pipe.count = 0
    return rates
