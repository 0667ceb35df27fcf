"""What tasks do with their time, sampled on all workers while a block of code runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hocket.client.followed_block import FollowedBlock
from hocket.protocol.feed.profile_tree import ProfileTree, split_frame
from hocket.protocol.messages.feed import ProfileSampled

if TYPE_CHECKING:
    from hocket.client.following import Following

__all__ = ["ProfileWatch"]

#: Lines of the text.
_LINES_MAX: Final = 60


class ProfileWatch(FollowedBlock):
    """A profile; made by `Client.profile`, and gathered while its ``with`` block runs.

    Attributes
    ----------
    tree
        All samples, merged over all workers.
    """

    _sampled = ProfileSampled

    def __init__(self, following: Following, filename: str | Path | None = None) -> None:
        super().__init__(following)
        self._filename = filename
        self.tree = ProfileTree()

    @property
    def data(self) -> dict[str, Any]:
        """The tree as nested dicts: name, file, line, count, and children, the most first."""
        return self.tree.nested()

    def folded(self) -> str:
        """Return the stacks, one a line with its count, as ``flamegraph.pl`` reads them."""
        lines = []
        for frames, count in self.tree.stacks():
            names = [_short(frame).replace(";", ":") for frame in frames]
            lines.append(f"{';'.join(names)} {count}\n")
        return "".join(sorted(lines))

    def text(self, share_min: float = 0.01) -> str:
        """Return the tree for people: what took most comes first.

        Parameters
        ----------
        share_min
            What took less than this part is left out.
        """
        lines: list[str] = []
        root = self.data
        count_min = max(root["count"] * share_min, 1)
        todo = [(child, 0) for child in reversed(root["children"])]
        while todo and len(lines) < _LINES_MAX:
            row, depth = todo.pop()
            if row["count"] < count_min:
                continue
            place = f"  {row['file']}:{row['line']}" if row["file"] else ""
            lines.append(f"{row['count'] / root['count']:6.1%} {'  ' * depth}{row['name']}{place}")
            todo.extend((child, depth + 1) for child in reversed(row["children"]))
        return "\n".join(lines)

    def _keep(self) -> None:
        for event in self._following.events:
            if isinstance(event, ProfileSampled):
                self.tree.merge(event)
        if self._filename is not None:
            Path(self._filename).write_text(self.folded(), encoding="utf-8")


def _short(frame: str) -> str:
    function, file, line = split_frame(frame)
    return f"{function} ({Path(file).name}:{line})" if file else function
