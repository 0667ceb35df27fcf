"""Runs encoding kernels: compiled between canaries, and as written in a memory with bounds.

What they read is the user's memory: not one byte behind its end may be read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hocket.parquet.kernels.checked import CheckedMemory
from hocket.parquet.kernels.library import KERNEL, address

CANARY = 0x5C
MARGIN = 256


def run_encoder(name: str, arguments: Callable, *, is_checked=True) -> tuple:
    """Return the answer of a kernel and the rooms that it wrote into, as arrays of bytes.

    `arguments` makes the kernel's from two functions: one puts an array where it can be read and
    returns its address, the other makes room for a number of bytes (and others to spare), with
    what an array holds at first, and returns its address.
    """
    outcomes = [_compiled(name, arguments)]
    if is_checked:
        outcomes += [_checked(name, arguments, poison) for poison in (0x00, 0xFF)]
    answer, rooms = outcomes[0]
    for other, others in outcomes[1:]:
        assert other == answer
        for one, two in zip(rooms, others, strict=True):
            assert one.tobytes() == two.tobytes()
    return answer, rooms


def _compiled(name, arguments):
    kept = []
    rooms = []

    def source(array):
        raw = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        kept.append(np.concatenate([raw, np.full(MARGIN, 0xA5, np.uint8)]))
        return address(kept[-1])

    def room(nbytes, spare=0, content=None):
        whole = np.full(nbytes + spare + 2 * MARGIN, CANARY, np.uint8)
        if content is not None:
            whole[MARGIN:][:nbytes] = content.view(np.uint8).reshape(-1)
        rooms.append((whole, nbytes, spare))
        return address(whole) + MARGIN

    answer = getattr(KERNEL, name)(*arguments(source, room))
    for whole, nbytes, spare in rooms:
        assert (whole[:MARGIN] == CANARY).all()
        assert (whole[MARGIN + nbytes + spare :] == CANARY).all()
    return answer, [whole[MARGIN:][:nbytes] for whole, nbytes, _ in rooms]


def _checked(name, arguments, poison):
    memory = CheckedMemory(poison=poison)
    rooms = []

    def source(array):
        raw = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        whole = np.full(raw.size + 2 * MARGIN, poison, np.uint8)
        whole[MARGIN:-MARGIN] = raw
        return memory.allow(whole[MARGIN:-MARGIN])

    def room(nbytes, spare=0, content=None):
        made = memory.room(nbytes, spare_nbytes=spare)
        made[:] = CANARY if content is None else content.view(np.uint8).reshape(-1)
        rooms.append(made)
        return address(made)

    return memory.kernel(name)(*arguments(source, room)), rooms
