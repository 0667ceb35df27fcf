"""The profile: what the threads of all workers were seen doing, as one tree of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from hocket.protocol.messages.feed import ProfileSampled

__all__ = ["Frame", "ProfileTree"]

#: Nodes kept; beyond, samples of frames that are new count for their callers only.
NODES_MAX: Final = 20_000
#: Frames deeper than this are not drawn.
DEPTH_MAX: Final = 40


class Frame(NamedTuple):
    """One rectangle of a flame graph: from ``left`` to ``right`` of all samples, at a depth."""

    left: int
    right: int
    depth: int
    function: str
    file: str
    line: int


class ProfileTree:
    """Frames and how many samples went through them, below each other from the outermost in."""

    def __init__(self) -> None:
        #: Children of each node by frame, and samples of each node; node 0 is the root.
        self._children: list[dict[str, int]] = [{}]
        self._frames: list[str] = ["all"]
        self._counts: list[int] = [0]

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return self._counts[0]

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, event: ProfileSampled) -> None:
        """Add what one worker saw."""
        nodes: list[int] = []
        for frame, parent, count in zip(event.frames, event.parents, event.counts, strict=False):
            above = nodes[parent] if 0 <= parent < len(nodes) else 0
            if parent < 0:
                self._counts[0] += count
            node = self._children[above].get(frame)
            if node is None:
                if len(self._frames) >= NODES_MAX:
                    nodes.append(above)
                    continue
                node = len(self._frames)
                self._children[above][frame] = node
                self._children.append({})
                self._frames.append(frame)
                self._counts.append(0)
            self._counts[node] += count
            nodes.append(node)

    def frames(self, least_part: float = 0.002) -> Iterator[Frame]:
        """Yield the rectangles of a flame graph, callers below what they call.

        Parameters
        ----------
        least_part
            Of all samples: what has fewer is left out, being too narrow to be seen.
        """
        least = max(self._counts[0] * least_part, 1)
        pending: list[tuple[int, int, int]] = [(0, 0, 0)]
        while pending:
            node, left, depth = pending.pop()
            function, file, line = _parts(self._frames[node])
            count = self._counts[node]
            yield Frame(left, left + count, depth, function, file, line)
            if depth >= DEPTH_MAX:
                continue
            for child in sorted(self._children[node].values(), key=lambda one: -self._counts[one]):
                if self._counts[child] >= least:
                    pending.append((child, left, depth + 1))
                left += self._counts[child]


def _parts(frame: str) -> tuple[str, str, int]:
    function, _, rest = frame.partition(";")
    file, _, line = rest.rpartition(";")
    return function, file, int(line) if line.isdecimal() and line.isascii() else 0
