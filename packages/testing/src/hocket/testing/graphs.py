"""Random graphs of tasks, in the shapes that users make: chains, trees, fans, grids, and none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

__all__ = ["SHAPES", "draw_shape"]

#: Per task: the positions of its inputs, all smaller than its own.
Shape = list[list[int]]


def _chain(random: Random, count: int) -> Shape:
    del random
    return [[one - 1] if one else [] for one in range(count)]


def _fan(random: Random, count: int) -> Shape:
    """One source, many readers, one sink."""
    if count < 3:
        return _chain(random, count)
    middle = list(range(1, count - 1))
    return [[], *[[0] for _ in middle], middle]


def _tree(random: Random, count: int) -> Shape:
    """Leaves, reduced by twos or threes."""
    width = random.choice([2, 3])
    leaves = max(1, (count * (width - 1) + 1) // width)
    shape: Shape = [[] for _ in range(leaves)]
    row = list(range(leaves))
    while len(row) > 1:
        above = []
        for start in range(0, len(row), width):
            group = row[start : start + width]
            if len(group) == 1:
                above.append(group[0])
            else:
                above.append(len(shape))
                shape.append(group)
        row = above
    return shape


def _grid(random: Random, count: int) -> Shape:
    """Each task reads its neighbours to the left and above, as in a sweep over an array."""
    width = random.randint(1, max(1, int(count**0.5)))
    shape: Shape = []
    for one in range(count):
        inputs = [one - width] if one >= width else []
        if one % width:
            inputs.append(one - 1)
        shape.append(inputs)
    return shape


def _independent(random: Random, count: int) -> Shape:
    del random
    return [[] for _ in range(count)]


def _web(random: Random, count: int) -> Shape:
    """Any inputs among what came before."""
    return [random.sample(range(one), random.randint(0, min(one, 3))) for one in range(count)]


SHAPES: Final[Sequence[Callable[[Random, int], Shape]]] = (
    _chain,
    _fan,
    _tree,
    _grid,
    _independent,
    _web,
)


def draw_shape(random: Random, count_max: int) -> Shape:
    """Draw a graph of at most so many tasks (a tree may have a few more)."""
    return random.choice(SHAPES)(random, random.randint(1, count_max))
