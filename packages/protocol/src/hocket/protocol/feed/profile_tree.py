"""What threads were seen doing, merged into a tree of bounded size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from hocket.protocol.feed.plain import fit_text
from hocket.protocol.messages.feed import ProfileSampled
from hocket.protocol.rules import NAME_LENGTH_MAX

__all__ = ["NODES_MAX", "OTHERS", "ProfileTree", "frame_name", "split_frame"]

#: Nodes of one tree; what would make more is counted at the nearest node that there is room for.
NODES_MAX: Final = 20_000
#: Frames of one sample, from the outermost inwards.
DEPTH_MAX: Final = 200
#: Where functions are counted for which there is no room.
OTHERS: Final = "(others)"


def frame_name(function: str, file: str, line: int) -> str:
    """Return how a frame stands in a tree."""
    name = f"{function};{file};{line}"
    if len(name) > NAME_LENGTH_MAX:
        name = f"{function[:100]};{file[-800:]};{line}"
    return fit_text(name, NAME_LENGTH_MAX)


def split_frame(name: str) -> tuple[str, str, int]:
    """Return function, file and line of a frame; a task's function has neither file nor line."""
    function, _, rest = name.partition(";")
    file, _, line = rest.rpartition(";")
    return function, file, int(line) if line.isdecimal() else 0


class ProfileTree:
    """Stacks, counted: below the root the tasks' functions, below each the frames inwards.

    Parameters
    ----------
    nodes_max
        The tree never has more nodes.
    """

    def __init__(self, nodes_max: int = NODES_MAX) -> None:
        self._nodes_max = nodes_max
        self.samples = 0
        self.duration_s = 0.0
        #: Per node. The children of the root stand in the last column's first entry.
        self._frames: list[str] = []
        self._parents: list[int] = []
        self._counts: list[int] = []
        self._children: list[dict[str, int]] = [{}]

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, group: str, frames: Iterable[str], count: int = 1) -> None:
        """Count a stack.

        Parameters
        ----------
        group
            The function of the task that ran.
        frames
            From the outermost inwards.
        count
            How often it was seen.
        """
        self.samples += count
        node = self._step(-1, group[:NAME_LENGTH_MAX])
        if node is None:
            node = self._step(-1, OTHERS)
            if node is not None:
                self._counts[node] += count
            return
        self._counts[node] += count
        for _, frame in zip(range(DEPTH_MAX), frames, strict=False):
            inner = self._step(node, frame)
            if inner is None:
                return
            node = inner
            self._counts[node] += count

    def merge(self, event: ProfileSampled) -> None:
        """Add what a worker has seen."""
        self.samples += event.samples
        self.duration_s += event.duration_s
        places: list[int | None] = []
        for frame, parent, count in zip(event.frames, event.parents, event.counts, strict=True):
            above = -1 if parent < 0 else places[parent]
            node = None if above is None else self._step(above, frame)
            places.append(node)
            if node is not None:
                self._counts[node] += count

    def columns(self) -> tuple[list[str], list[int], list[int]]:
        """Return frames, parents and counts, as they stand in an event."""
        return self._frames, self._parents, self._counts

    def nested(self) -> dict[str, Any]:
        """Return the tree as nested dicts: name, file, line, count, and children, most first."""
        rows: list[dict[str, Any]] = []
        root: dict[str, Any] = _row("", self.samples)
        for frame, parent, count in zip(self._frames, self._parents, self._counts, strict=True):
            row = _row(frame, count)
            rows.append(row)
            (root if parent < 0 else rows[parent])["children"].append(row)
        for row in (root, *rows):
            row["children"].sort(key=lambda child: -child["count"])
        return root

    def stacks(self) -> Iterator[tuple[Sequence[str], int]]:
        """Yield each stack that ended somewhere, and how often (Brendan Gregg's folded form)."""
        inner = [0] * len(self._frames)
        for parent, count in zip(self._parents, self._counts, strict=True):
            if parent >= 0:
                inner[parent] += count
        for node, count in enumerate(self._counts):
            own = count - inner[node]
            if own > 0:
                path = []
                at = node
                while at >= 0:
                    path.append(self._frames[at])
                    at = self._parents[at]
                yield path[::-1], own

    def _step(self, node: int, frame: str) -> int | None:
        """Return the child of a node, made if there is room."""
        children = self._children[node + 1]
        child = children.get(frame)
        if child is None:
            # (The place for the functions without a place is kept free.)
            room = self._nodes_max if frame == OTHERS else self._nodes_max - 1
            if len(self._frames) >= room:
                return None
            child = children[frame] = len(self._frames)
            self._frames.append(frame)
            self._parents.append(node)
            self._counts.append(0)
            self._children.append({})
        return child


def _row(frame: str, count: int) -> dict[str, Any]:
    function, file, line = split_frame(frame)
    return {"name": function, "file": file, "line": line, "count": count, "children": []}
