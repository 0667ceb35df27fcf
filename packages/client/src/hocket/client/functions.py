"""Which functions the scheduler has from this client, so that each is sent once."""

from __future__ import annotations

from hocket.protocol.messages import SubmitTasks

__all__ = ["KnownFunctions"]


class KnownFunctions:
    """The functions whose pickles the scheduler has.

    Parameters
    ----------
    count_max
        How many it is asked to remember; those that one message needs may be more.
    """

    __slots__ = ("_count_max", "_digests")

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        #: Least recently used first.
        self._digests: dict[bytes, None] = {}

    def leave_out_known(self, message: SubmitTasks) -> list[bytes]:
        """Take the pickles that the scheduler has out of a message.

        Returns
        -------
        list of bytes
            Digests of functions that the scheduler may forget after the message.
        """
        digests = self._digests
        for row, digest in enumerate(message.functions):
            if digest in digests:
                del digests[digest]
                message.blobs[row] = None
            digests[digest] = None
        excess = len(digests) - max(self._count_max, len(message.functions))
        forgotten = list(digests)[: max(0, excess)]
        for digest in forgotten:
            del digests[digest]
        return forgotten
