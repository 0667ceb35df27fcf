"""Graphs in standard shapes, as positions: what the benchmarks of scheduling run.

A shape is a list with, for each task, the positions of its inputs, all smaller than its own. It
needs nothing of hocket, so the programs that measure a peer in its own environment make the same
ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

__all__ = [
    "SCALE_SHAPES",
    "Shape",
    "chains",
    "fork_join",
    "grid",
    "independent",
    "layers",
    "merge",
    "shuffle",
    "sinks",
    "stencil",
    "tree",
]

Shape = list[Sequence[int]]


def independent(count: int) -> Shape:
    """Tasks without inputs."""
    return [()] * count


def chains(width: int, length: int) -> Shape:
    """So many chains, side by side."""
    return [(one - width,) if one >= width else () for one in range(width * length)]


def tree(leaves: int, fan_in: int = 2) -> Shape:
    """Leaves, reduced by twos (or more) to one."""
    shape: Shape = [()] * leaves
    row = list(range(leaves))
    while len(row) > 1:
        above = []
        for start in range(0, len(row), fan_in):
            group = row[start : start + fan_in]
            if len(group) == 1:
                above += group
            else:
                above.append(len(shape))
                shape.append(tuple(group))
        row = above
    return shape


def stencil(width: int, steps: int) -> Shape:
    """A row of cells, each of which reads itself and its neighbours of the step before."""
    shape: Shape = [()] * width
    for step in range(1, steps):
        below = (step - 1) * width
        shape += [
            tuple(range(below + max(0, cell - 1), below + min(width, cell + 2)))
            for cell in range(width)
        ]
    return shape


def grid(side: int) -> Shape:
    """A square swept from one corner: each task reads its neighbours to the left and above."""
    shape: Shape = []
    for one in range(side * side):
        above = (one - side,) if one >= side else ()
        left = (one - 1,) if one % side else ()
        shape.append(above + left)
    return shape


def shuffle(width: int) -> Shape:
    """Makers, a part of each for every joiner, and joiners that read a part of every maker."""
    shape: Shape = [()] * width
    shape += [(maker,) for maker in range(width) for _ in range(width)]
    shape += [tuple(range(width + joiner, width + width * width, width)) for joiner in range(width)]
    return shape


def fork_join(width: int, rounds: int) -> Shape:
    """One task, many that read it, one that reads those; and so on."""
    shape: Shape = [()]
    for _ in range(rounds):
        root = len(shape) - 1
        shape += [(root,)] * width
        shape.append(tuple(range(root + 1, root + 1 + width)))
    return shape


def merge(width: int) -> Shape:
    """Makers, and for each two neighbours (in a ring) one task that reads both."""
    shape: Shape = [()] * width
    shape += [(one, (one + 1) % width) for one in range(width)]
    return shape


def layers(random: Random, width: int, depth: int, inputs_max: int = 4) -> Shape:
    """Layers of random widths; each task reads some tasks of the layer before."""
    widths = [random.randint(max(1, width // 2), width + width // 2) for _ in range(depth)]
    starts = [0]
    for each in widths:
        starts.append(starts[-1] + each)
    shape: Shape = [()] * widths[0]
    for start, stop in pairwise(starts[:-1]):
        count = widths[len(shape) and starts.index(stop)]
        before = range(start, stop)
        shape += [
            tuple(sorted(random.sample(before, random.randint(1, min(inputs_max, len(before))))))
            for _ in range(count)
        ]
    return shape


def sinks(shape: Shape) -> list[int]:
    """Return the positions that no task reads."""
    is_read = bytearray(len(shape))
    for inputs in shape:
        for one in inputs:
            is_read[one] = 1
    return [one for one, read in enumerate(is_read) if not read]


def _stencil_of(count: int) -> Shape:
    steps = 50 if count >= 5000 else 10
    return stencil(max(1, count // steps), steps)


def _shuffle_of(count: int) -> Shape:
    # (w makers, w * w parts, w joiners.)
    return shuffle(max(1, round((count + 1) ** 0.5 - 1)))


def _tree_of(count: int) -> Shape:
    return tree((count + 1) // 2)


#: By name, from about how many tasks.
SCALE_SHAPES: dict[str, Callable[[int], Shape]] = {
    "independent": independent,
    "stencil": _stencil_of,
    "tree": _tree_of,
    "shuffle": _shuffle_of,
}
