"""The worker's own errors."""

from __future__ import annotations

from hocket.core.errors import HocketError

__all__ = ["FileDamaged"]


class FileDamaged(HocketError):
    """A file into which a value was put cannot be read as it was written."""

    path: str
    reason: str

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(path=path, reason=reason)

    def describe(self) -> str:
        """Say which file, and what is wrong with it."""
        return (
            f"the file {self.path!r}, into which a value was put, is damaged: {self.reason};"
            " the value is computed again if that is possible"
        )
