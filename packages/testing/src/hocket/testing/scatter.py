"""Scattering: a client asks where to put values, puts them there, and tells the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hocket.client.machine import ClientMachine, FutureState
from hocket.protocol.messages import (
    KeysScattered,
    PutData,
    RequestRefused,
    ScatterPlanned,
)
from hocket.testing.executor import encode_value
from hocket.testing.network import DataAnswer, Network, Party
from hocket.testing.programs import Spec

__all__ = ["Scatter"]


class Scatterer(Party, Protocol):
    """A client, as far as scattering needs one."""

    network: Network
    machine: ClientMachine
    #: Keys and addresses of values that were put on workers, and that no client has claimed.
    unclaimed: set[tuple[str, str]]

    def hold_scattered(self, states: Sequence[FutureState]) -> None:
        """Hold futures of values that were put on workers."""

    def on_answer(self, number: int, then: Callable[[Any], None]) -> None:
        """Do something when this question is answered."""


class Scatter:
    """Values on their way to workers.

    Parameters
    ----------
    client
        Whose they are.
    specs
        Their keys, values and sizes.
    """

    def __init__(self, client: Scatterer, specs: Sequence[Spec]) -> None:
        self._client = client
        self._specs = specs
        #: Per value: addresses of the workers that said they have it.
        self._kept: list[list[str]] = [[] for _ in specs]
        self._open_count = 0

    def planned(self, answer: Any) -> None:
        """Send each value to each of its workers."""
        if isinstance(answer, RequestRefused):
            return
        assert isinstance(answer, ScatterPlanned)
        self._open_count = sum(map(len, answer.addresses))
        for row, addresses in enumerate(answer.addresses):
            for address in addresses:
                self._put(row, address)

    def _put(self, row: int, address: str) -> None:
        spec, client = self._specs[row], self._client
        client.unclaimed.add((spec.key, address))

        def on_reply(reply: DataAnswer, buffers: list[bytes]) -> None:
            del reply, buffers
            self._kept[row].append(address)
            self._ended()

        def on_failure(reason: str) -> None:
            del reason
            self._ended()

        client.network.request(
            client,
            address,
            PutData([spec.key], [[spec.nbytes]]),
            [encode_value(spec.number)],
            on_reply,
            on_failure,
        )

    def _ended(self) -> None:
        """One more was put or not; after the last, tell the scheduler."""
        self._open_count -= 1
        client = self._client
        if self._open_count or not client.alive:
            return
        keys = [spec.key for spec in self._specs]
        sizes = [spec.nbytes for spec in self._specs]
        request, states = client.machine.scattered(
            lambda number: KeysScattered(number, keys, sizes, self._kept), keys, lambda: None
        )
        client.hold_scattered(states)

        def accepted(answer: Any) -> None:
            del answer
            for key, addresses in zip(keys, self._kept, strict=True):
                for address in addresses:
                    client.unclaimed.discard((key, address))
            client.machine.accept_scattered(states, sizes)

        client.on_answer(request.number, accepted)
