"""``python -m hocket.scheduler.shell.consuming``: a process for one consumer of events.

It is told on its standard input what to run and how to reach the scheduler, as one line of JSON: so
nothing secret is seen from outside. It looks on in the role of an observer, and ends with the
scheduler. User code runs here, and never in the scheduler's process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any, Final

from hocket.core.errors import HocketError
from hocket.core.settings import Settings
from hocket.protocol.feed import EventConsumer, load_consumer
from hocket.protocol.messages import Events, GrantCredit, Snapshot, Subscribe
from hocket.protocol.roles import Role
from hocket.transport.channel import Channel
from hocket.transport.connector import connect

__all__ = ["consume", "main"]

log = logging.getLogger("hocket.scheduler")

_REQUEST: Final = 1
#: Events that may be under way; the consumer grants more as it has dealt with them.
_CREDIT: Final = 50_000


async def consume(consumer: EventConsumer, address: str, secret: str, settings: Settings) -> str:
    """Hand a consumer what happens, until the scheduler is gone; return why it is.

    The consumer runs in a thread, one step after the other, so that the connection lives on while
    it is slow.
    """
    news: asyncio.Queue[Any] = asyncio.Queue()

    def hear(_channel: Channel, messages: list[Any]) -> None:
        for message in messages:
            news.put_nowait(message)

    channel = await connect(
        address,
        role=Role.OBSERVER,
        name=f"consumer {type(consumer).__name__}",
        secret=secret,
        settings=settings,
        on_messages=hear,
        on_closed=lambda _, reason, _clean: news.put_nowait(reason),
    )
    try:
        channel.send([Subscribe(_REQUEST, int(consumer.kinds), credit=_CREDIT)])
        while True:
            one = await news.get()
            if isinstance(one, Snapshot):
                await asyncio.to_thread(consumer.begin, one)
            elif isinstance(one, Events):
                if one.events or one.dropped:
                    await asyncio.to_thread(consumer.consume, one.events, one.dropped)
                if one.events:
                    channel.send([GrantCredit(_REQUEST, len(one.events))])
            elif isinstance(one, str):
                await asyncio.to_thread(consumer.end, one)
                return one
    finally:
        channel.close("the consumer ended")
        await channel.wait_closed()


def main() -> int:
    """Run the consumer that standard input names; return the exit code."""
    told = json.loads(sys.stdin.readline())
    sys.path[:] = [*told["path"], *(one for one in sys.path if one not in told["path"])]
    try:
        consumer = load_consumer(told["place"])
        settings = Settings.from_flat(told["settings"])
        asyncio.run(consume(consumer, told["address"], told["secret"], settings))
    except HocketError as error:
        log.error("the event consumer %s: %s", told["place"], error)  # noqa: TRY400 (it says all)
        return 1
    except Exception:
        log.exception("the event consumer %s raised, and ends", told["place"])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
