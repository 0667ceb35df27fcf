"""A ``with`` block during which a client follows the feed, in whichever way the client waits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from hocket.client.following import Following

__all__ = ["FollowedBlock"]


class FollowedBlock(ABC):
    """Follows the feed while its block runs, and keeps what came of it afterwards."""

    #: The events, of those that workers make at intervals, of which each makes one more before the
    #: end; None: what is gathered is told as it happens.
    _sampled: ClassVar[type | None] = None

    def __init__(self, following: Following) -> None:
        self._following = following

    def __enter__(self) -> Self:
        self._following.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del kind, error, traceback
        if self._sampled is not None:
            self._following.last_samples(self._sampled)
        self._following.end()
        self._keep()

    async def __aenter__(self) -> Self:
        await self._following.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del kind, error, traceback
        if self._sampled is not None:
            await self._following.last_samples(self._sampled)
        await self._following.end()
        self._keep()

    @abstractmethod
    def _keep(self) -> None:
        """Take what is wanted from what was followed."""
