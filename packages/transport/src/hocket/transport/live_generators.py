"""Generators that live on workers: what they yield is asked for in slices, each by a task.

A slice is a function of its call and its place: the items of ``call()`` from ``start`` on. So it
may be made anywhere and again, like any task: by a generator that begins anew and passes over what
came before. That the generator of the slice before is still there, and goes on, only saves work.
For that it is a value (`LiveGenerator`), which stays on its worker as long as somebody wants it;
when it goes, the generator is closed.

What is made depends on how fast it is in one way: a slice may end early, so that an item is not
kept back until those after it are there. One that is made again must not be shorter than it was. It
is made again by another generator than its asker knew of, and then it ends early for no reason but
its size.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, NamedTuple

from hocket.core.errors import UserError
from hocket.core.task_context import current_task
from hocket.protocol.serialize import nbytes_of
from hocket.transport.clock import monotonic
from hocket.transport.generator_thread import GeneratorThread

__all__ = [
    "GeneratorChanged",
    "GeneratorFunction",
    "LiveGenerator",
    "Slice",
    "SliceNews",
    "SliceTaker",
    "pick_item",
    "tell_news",
]

#: What a generator is said to take of a worker's memory beside its arguments: it has a thread.
_THREAD_NBYTES: Final = 1 << 20


class GeneratorChanged(UserError):
    """A generator was run again, since items were lost, and yielded fewer than before.

    Attributes
    ----------
    label
        The function, as people call it.
    index
        The item that is missing.
    count
        How many there were this time.
    """

    label: str
    index: int
    count: int

    def __init__(self, *, label: str, index: int, count: int) -> None:
        super().__init__(label=label, index=index, count=count)

    def describe(self) -> str:
        """Say what is missing, and what must not be."""
        return (
            f"{self.label!r} was run again, since what it had yielded was lost with a worker, and"
            f" made {self.count} items, so item {self.index} is missing: a generator must yield the"
            " same each time to survive that"
        )


class SliceNews(NamedTuple):
    """What there is to know of a slice, without its items.

    Attributes
    ----------
    items_count, nbytes
        Of its items.
    is_last
        Whether the generator has ended.
    generator
        Names the one that goes on from here.
    worker
        Where that is.
    duration_s
        How long the slice took.
    """

    items_count: int
    nbytes: int
    is_last: bool
    generator: str
    worker: str
    duration_s: float


class Slice(NamedTuple):
    """Some items, one after another.

    Attributes
    ----------
    items, start
        The items, and the number of the first.
    label
        What people call the function.
    news
        What there is to know besides.
    """

    items: list[Any]
    start: int
    label: str
    news: SliceNews


class GeneratorFunction:
    """A function whose items are wanted; called with its arguments where it is to live.

    Parameters
    ----------
    func
        The function; the tasks are named after it.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, *args: Any, **kwargs: Any) -> LiveGenerator:
        """Return the generator; nothing of it runs before an item is asked for."""
        return LiveGenerator(self.func, args, kwargs)


class LiveGenerator:
    """A call of a generator function, and how far it has come. Pickled, it is the call alone.

    Parameters
    ----------
    function, args, kwargs
        The call. It may return whatever can be iterated over, also by ``async for``.
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._call = function, args, kwargs
        self._lock = Lock()
        self._thread: GeneratorThread | None = None
        #: Names the present thread; another begins anew.
        self._name = ""
        self._is_taken = False

    @property
    def nbytes(self) -> int:
        """What it is said to take of a worker's memory."""
        _, args, kwargs = self._call
        return _THREAD_NBYTES + nbytes_of(args) + nbytes_of(kwargs)

    def take(self, start: int, count: int, nbytes_max: int, expected: str) -> Slice:
        """Return items from a place on: one at least, unless it has ended.

        Parameters
        ----------
        start
            The number of the first.
        count, nbytes_max
            It ends with so many items, or with the one that makes them as large as this.
        expected
            Names the generator that should go on. If it is another, the slice is perhaps made
            again, and does not end early.

        Raises
        ------
        BaseException
            What the generator raised at ``start``; the next who asks begins anew.
        GeneratorChanged
            It ends before ``start``.
        """
        begin_s = monotonic()
        with self._lock:
            thread = self._thread
            if thread is None or thread.is_over:
                thread = self._thread = GeneratorThread(*self._call)
                self._name = os.urandom(8).hex()
            is_apart = self._is_taken or start < thread.position
            if is_apart:
                # Somebody else is ahead: what it has passed is made again beside it.
                thread = GeneratorThread(*self._call)
            else:
                self._is_taken = True
        name = "" if is_apart else self._name
        try:
            taken = thread.take(start, count, nbytes_max, may_cut=bool(name) and name == expected)
        finally:
            if is_apart:
                thread.close()
            else:
                self._is_taken = False
        label = getattr(self._call[0], "__name__", "the function")
        if taken.is_last and taken.made_count < start:
            raise GeneratorChanged(label=label, index=start, count=taken.made_count)
        task = current_task()
        news = SliceNews(
            len(taken.items),
            taken.nbytes,
            taken.is_last,
            name,
            "" if task is None else task.worker,
            monotonic() - begin_s,
        )
        return Slice(taken.items, start, label, news)

    def __del__(self) -> None:
        # (Of one that was not made properly there is none.)
        thread = getattr(self, "_thread", None)
        if thread is not None:
            thread.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return LiveGenerator, self._call


class SliceTaker:
    """Takes a slice of a generator; the task of each.

    Parameters
    ----------
    name
        What people call the function: the task is named after it.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(
        self, generator: LiveGenerator, start: int, count: int, nbytes_max: int, expected: str
    ) -> Slice:
        """Return a slice; see `LiveGenerator.take`."""
        return generator.take(start, count, nbytes_max, expected)


def tell_news(part: Slice) -> SliceNews:
    """Return what there is to know of a slice."""
    return part.news


def pick_item(part: Slice, row: int) -> Any:
    """Return an item of a slice, which is not copied.

    Raises
    ------
    GeneratorChanged
        The slice was made again, and is shorter.
    """
    if row < len(part.items):
        return part.items[row]
    count = part.start + len(part.items)
    raise GeneratorChanged(label=part.label, index=part.start + row, count=count)
