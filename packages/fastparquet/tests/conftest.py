"""Runs decoding kernels: compiled between canaries, and as written in a memory with bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hocket.parquet.kernels.checked import CheckedMemory
from hocket.parquet.kernels.library import KERNEL, address

CANARY = 0x5C
MARGIN = 256


class KernelRunner:
    """Calls a kernel with one source, in up to three ways that must come to the same."""

    def __call__(self, name: str, source: bytes, arguments: Callable, *, is_checked=True) -> tuple:
        """Return the answer and the rooms that the kernel wrote into, as arrays.

        `arguments` makes the kernel's from the source's address, the address behind its end, and a
        function that makes room for a number of bytes (and others to spare) and returns its
        address. An answer within the source is returned as an offset.
        """
        outcomes = [_compiled(name, source, arguments)]
        if is_checked:
            outcomes += [_checked(name, source, arguments, poison) for poison in (0x00, 0xFF)]
        answer, rooms = outcomes[0]
        for other, others in outcomes[1:]:
            assert other == answer
            if answer >= 0:
                for one, two in zip(rooms, others, strict=True):
                    assert one.tobytes() == two.tobytes()
        return answer, rooms


def _compiled(name, source, arguments):
    padded = np.full(len(source) + 64, 0xA5, np.uint8)
    padded[: len(source)] = np.frombuffer(source, np.uint8)
    rooms = []

    def room(nbytes, spare=0):
        whole = np.full(nbytes + spare + 2 * MARGIN, CANARY, np.uint8)
        rooms.append((whole, nbytes, spare))
        return address(whole) + MARGIN

    at = address(padded)
    answer = getattr(KERNEL, name)(*arguments(at, at + len(source), room))
    for whole, nbytes, spare in rooms:
        assert (whole[:MARGIN] == CANARY).all()
        assert (whole[MARGIN + nbytes + spare :] == CANARY).all()
    return _relative(answer, at, source), [whole[MARGIN:][:nbytes] for whole, nbytes, _ in rooms]


def _checked(name, source, arguments, poison):
    memory = CheckedMemory(poison=poison)
    rooms = []

    def room(nbytes, spare=0):
        rooms.append(memory.room(nbytes, spare_nbytes=spare))
        rooms[-1][:] = CANARY
        return address(rooms[-1])

    at = memory.source(source)
    answer = memory.kernel(name)(*arguments(at, at + len(source), room))
    return _relative(answer, at, source), rooms


def _relative(answer, at, source):
    return answer - at if at <= answer <= at + len(source) else answer


@pytest.fixture(scope="session")
def run_kernel() -> KernelRunner:
    """A kernel's answer and what it wrote, by its name."""
    return KernelRunner()
