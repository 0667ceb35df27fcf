"""What a scheduler's shell does for those who look on: samples, log lines, readers in the process.

Nothing of it runs while nobody looks.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from hocket.protocol.feed import Answer, Question, Reader, fit_text
from hocket.protocol.messages.feed import (
    EventKinds,
    LineLogged,
    SchedulerSampled,
)
from hocket.protocol.rules import NAME_LENGTH_MAX
from hocket.scheduler.machine import SchedulerMachine
from hocket.transport.clock import monotonic, now
from hocket.transport.vitals import LoopLag, Vitals

__all__ = ["Onlooking"]

#: Time between two samples.
_INTERVAL_S: Final = 0.5
#: Lines that wait to be recorded.
_LINES_MAX: Final = 1000


class Onlooking:
    """The feed of a scheduler, as its process sees it; a `hocket.protocol.feed.Source`.

    Parameters
    ----------
    machine
        The scheduler's.
    want_turn
        Has the machine send what piled up.
    """

    def __init__(self, machine: SchedulerMachine, want_turn: Callable[[], None]) -> None:
        self._machine = machine
        self._want_turn = want_turn
        self._timer: asyncio.TimerHandle | None = None
        self._vitals: Vitals | None = None
        self._lag = LoopLag()
        self._lines: deque[LineLogged] = deque(maxlen=_LINES_MAX)
        self._handler: _Recorder | None = None
        self._numbers = itertools.count()
        self._sampled_s = 0.0
        self._events_count = 0
        #: Counted by the shell, and when the last sample was made.
        self.turns_count = 0
        self.messages_in_count = 0
        self.messages_out_count = 0
        machine.feed.offset_s = now() - monotonic()

    # A source.

    def read(self, kinds: int = EventKinds.USUAL, position: int = -1) -> Reader:
        """Begin to read; see `hocket.protocol.feed.Source.read`."""
        machine = self._machine
        machine.tables.now_s = monotonic()
        reader = machine.feed.read(kinds, position)
        self.look()
        self._want_turn()
        return _Closing(reader, self)

    async def ask(self, question: Question) -> Answer:
        """Ask for something that stands in no event; see `hocket.protocol.feed.Source.ask`."""
        numbered = replace(question, request=next(self._numbers))
        answer: Answer = self._machine.feed.answer(numbered)
        return answer

    # What is done while somebody looks.

    def look(self) -> None:
        """Begin or stop to sample, as those want who read now."""
        kinds = self._machine.feed.kinds
        if kinds & EventKinds.LOGS and self._handler is None:
            self._handler = _Recorder(self._lines)
            logging.getLogger("hocket").addHandler(self._handler)
        elif not kinds & EventKinds.LOGS and self._handler is not None:
            logging.getLogger("hocket").removeHandler(self._handler)
            self._handler = None
        if kinds and self._timer is None:
            self._vitals = Vitals()
            self._lag.start()
            self._start_over()
            self._arm()
        elif not kinds:
            self.close()

    def close(self) -> None:
        """Stop all of it."""
        if self._handler is not None:
            logging.getLogger("hocket").removeHandler(self._handler)
            self._handler = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lag.stop()
        self._vitals = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL_S, self._sample)

    def _start_over(self) -> None:
        self.turns_count = self.messages_in_count = self.messages_out_count = 0
        self._events_count = self._machine.feed.ring.following
        self._sampled_s = monotonic()

    def _sample(self) -> None:
        assert self._vitals is not None
        machine, feed = self._machine, self._machine.feed
        signs = self._vitals.look()
        elapsed_s = max(monotonic() - self._sampled_s, 1e-3)
        tables = machine.tables
        # (The epoch's clock may have been set.)
        feed.offset_s = now() - monotonic()
        while self._lines:
            feed.sampled(self._lines.popleft())
        feed.sampled(
            SchedulerSampled(
                now(),
                signs.cpu,
                signs.memory_nbytes,
                signs.fds,
                self._lag.take_max(),
                self.turns_count / elapsed_s,
                self.messages_in_count / elapsed_s,
                self.messages_out_count / elapsed_s,
                (feed.ring.following - self._events_count) / elapsed_s,
                len(tables.tasks),
                sum(queue.live_count for queue in tables.queues.values()),
                len(tables.workers),
                len(tables.clients),
                feed.observers_count,
            )
        )
        self._start_over()
        self._arm()
        self._want_turn()


class _Closing:
    """A reader that has the shell look anew when it is closed."""

    def __init__(self, reader: Reader, onlooking: Onlooking) -> None:
        self._reader = reader
        self._onlooking = onlooking
        self.snapshot = reader.snapshot
        self.take = reader.take

    def close(self) -> None:
        """Read no more. May be called twice."""
        self._reader.close()
        self._onlooking.look()
        self._onlooking._want_turn()  # noqa: SLF001 - its own


class _Recorder(logging.Handler):
    """Keeps what the scheduler logs; called in any thread."""

    def __init__(self, lines: deque[LineLogged]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = fit_text(self.format(record))
            name = fit_text(record.name, NAME_LENGTH_MAX)
            line = LineLogged(record.created, "", record.levelname, name, text)
            self._lines.append(line)
        except Exception:  # noqa: BLE001 - as all handlers do
            self.handleError(record)
