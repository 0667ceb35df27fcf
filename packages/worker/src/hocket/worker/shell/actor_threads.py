"""The executor ``actors``: each actor has a thread of its own, in which all of it runs.

It is made there, called there, and goes there; so it may use what belongs to a thread. An actor
that has coroutine methods has an event loop in its thread: its calls begin in order, and while one
waits the next may begin. All others end a call before the next begins.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, Literal

from hocket.core.actor_class import LivingActor
from hocket.core.task_context import PROVIDER, TaskContext
from hocket.protocol.messages import ACTORS, ActorSaved, Failure
from hocket.transport import new_event_loop
from hocket.worker.actors import Actor, Call
from hocket.worker.shell.actor_calls import answer, answer_later, checkpoint_of, fail, make
from hocket.worker.shell.contexts import Contexts
from hocket.worker.shell.desk import Desk
from hocket.worker.state import Task

__all__ = ["ACTOR_SLOTS", "ActorExecutor"]

_logger: Final = logging.getLogger("hocket.worker")

#: Actors that are made at once.
ACTOR_SLOTS: Final = 8
#: How long calls that wait, of coroutine methods, may take as the worker leaves.
_LAST_CALLS_S: Final = 0.5


class ActorExecutor:
    """Makes and keeps the actors of a worker.

    Parameters
    ----------
    desk
        Where tasks come from, and reports go.
    contexts
        Makes what actors are told of where they run.
    value_nbytes_max
        The largest pickled result of a call.
    loop
        As for `hocket.transport.new_event_loop`.
    on_replies
        Called in any thread, with the lock held, when there are answers to send; with whether more
        are to be expected soon.
    on_broken
        Called in any thread when a bug of ours has ended one of these.
    """

    def __init__(
        self,
        desk: Desk,
        contexts: Contexts,
        *,
        value_nbytes_max: int,
        loop: Literal["auto", "asyncio", "uvloop"],
        on_replies: Callable[[bool], None],
        on_broken: Callable[[], None],
    ) -> None:
        self.desk = desk
        self.contexts = contexts
        self.value_nbytes_max = value_nbytes_max
        self.loop: Literal["auto", "asyncio", "uvloop"] = loop
        self.on_replies = on_replies
        self._on_broken = on_broken
        #: All that follows is guarded by the lock.
        self._homes: dict[Actor, _Home] = {}
        self._threads: set[threading.Thread] = set()
        self._making_count = 0
        self._is_short = False
        desk.executors.append(self)

    @property
    def is_busy(self) -> bool:
        """Whether an actor is being made. The lock must be held."""
        return self._making_count > 0

    @property
    def is_waking(self) -> bool:
        """Whether a thread is on its way to a task: it has it from the start."""
        return False

    def wake(self) -> None:
        """Have actors made that may be, and those told that have calls. The lock must be held."""
        machine = self.desk.machine
        for actor in machine.tables.actors.take_woken():
            home = self._homes.get(actor)
            if home is not None:
                home.wake()
        for actor, caller, number in machine.tables.actors.take_unwanted():
            home = self._homes.get(actor)
            if home is not None:
                home.interrupt(caller, number)
        if self.desk.closing or not machine.startable(ACTORS):
            return
        while not self._is_short and (task := machine.take(ACTORS)) is not None:
            self._begin(task)

    def _begin(self, task: Task) -> None:
        home = _Home(self, task)
        worker = self.contexts.worker
        thread = threading.Thread(
            target=self._run, args=(home,), name=f"{worker} actor {task.key}", daemon=True
        )
        self._making_count += 1
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no more just now.
            self._making_count -= 1
            _logger.warning("worker %r cannot start a thread for an actor: %s", worker, error)
            self.desk.machine.rescheduled(task, 0.0, 0.0)
            self.desk.flush_soon()
            return
        self._threads.add(thread)

    def leave(self, timeout_s: float) -> None:
        """Have all actors end what they do, and be saved; calls that wait go back to the callers.

        Parameters
        ----------
        timeout_s
            How long to wait for calls that run.
        """
        with self.desk.lock:
            self.desk.machine.tables.actors.leave()
            threads = list(self._threads)
            for home in self._homes.values():
                home.wake()
            self.on_replies(False)  # noqa: FBT003 - it is all there is to say
        deadline_s = monotonic() + timeout_s
        for thread in threads:
            thread.join(max(deadline_s - monotonic(), 0.0))

    def close(self, timeout_s: float) -> bool:
        """End all actors. Return whether their threads have ended. The desk must be closed.

        Parameters
        ----------
        timeout_s
            How long to wait for calls that run.
        """
        with self.desk.lock:
            threads = list(self._threads)
            for actor, home in self._homes.items():
                actor.is_over = True
                actor.is_idle = False
                home.wake()
        deadline_s = monotonic() + timeout_s
        for thread in threads:
            thread.join(max(deadline_s - monotonic(), 0.0))
        return not any(thread.is_alive() for thread in threads)

    def _run(self, home: _Home) -> None:
        try:
            home.run()
        except BaseException:
            _logger.exception(
                "a bug in hocket, please report: the thread of an actor of %r ended",
                self.contexts.worker,
            )
            self._on_broken()
        finally:
            with self.desk.lock:
                self._threads.discard(threading.current_thread())

    # For the homes.

    def made(self, home: _Home, task: Task, outcome: Any, saved: ActorSaved | None) -> Actor | None:
        """Report how an actor's making ended; return the actor if it lives."""
        desk = self.desk
        with desk.lock:
            self._making_count -= 1
            if desk.closing:
                return None
            machine = desk.machine
            is_wanted = machine.tables.tasks.get(task.key) is task
            if saved is not None and is_wanted:
                machine.tables.outbox.saved(saved)
            desk.end(task, outcome)
            desk.flush_soon()
            desk.wake()
            actor = machine.tables.actors.find(task.key, task.attempt)
            if actor is not None:
                self._homes[actor] = home
                actor.unsaved_count = 0
            return actor

    def gone(self, actor: Actor) -> None:
        """Take note that an actor is no more."""
        with self.desk.lock:
            self._homes.pop(actor, None)


class _Home:
    """The thread of one actor."""

    def __init__(self, executor: ActorExecutor, task: Task) -> None:
        self._executor = executor
        self._task: Task | None = task
        self._worker = executor.contexts.worker
        self._context: TaskContext = executor.contexts.of(task, secede=bool, rejoin=lambda: None)
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stirred: asyncio.Event | None = None
        #: Calls that wait, by caller and number; the loop's alone.
        self._waiting: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._interrupted: set[tuple[str, int]] = set()

    def interrupt(self, caller: str, number: int) -> None:
        """Interrupt a call where it waits; one of a plain method goes on. For any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # The loop is closed, since it is over.
                self._loop.call_soon_threadsafe(self._interrupt, (caller, number))

    def _interrupt(self, name: tuple[str, int]) -> None:
        task = self._waiting.get(name)
        if task is not None:
            self._interrupted.add(name)
            task.cancel()

    def wake(self) -> None:
        """Have it look for calls, or for its end. For any thread."""
        loop, stirred = self._loop, self._stirred
        if loop is None or stirred is None:
            self._wakeups.put(None)
            return
        with suppress(RuntimeError):  # The loop is closed, since it is over.
            loop.call_soon_threadsafe(stirred.set)

    def run(self) -> None:
        """Make the actor, and serve its calls until it is over."""
        PROVIDER.set(lambda: self._context)
        executor, task = self._executor, self._task
        assert task is not None
        with executor.desk.lock:
            restore = executor.desk.machine.tables.actors.restoring(task.key, task.attempt)
        if task.announced and not self._announce():
            return
        made = make(task, self._worker, None if restore is None else restore.state)
        saved = None
        if made.state is not None and restore is None:
            saved = ActorSaved(task.key, task.attempt, made.state, [], [])
        living = made.living
        if living is not None and _has_coroutines(type(living.instance)):
            self._loop = new_event_loop(executor.loop)
            self._stirred = asyncio.Event()
        actor = executor.made(self, task, made.outcome, saved)
        # (Its arguments are not to live as long as it does.)
        self._task = task = None
        if actor is None or living is None:
            self._close_loop()
            return
        del made
        try:
            if self._loop is None:
                self._serve(actor, living)
            else:
                self._serve_in_loop(self._loop, actor, living)
        finally:
            executor.gone(actor)

    def _announce(self) -> bool:
        """Wait until the scheduler is told that it begins. Return whether it may."""
        desk = self._executor.desk
        gate = threading.Event()
        with desk.lock:
            desk.send_first(gate.set)
        gate.wait()
        return not desk.closing

    # One call after the other.

    def _serve(self, actor: Actor, living: LivingActor) -> None:
        nbytes_max = self._executor.value_nbytes_max
        call = self._next(actor)
        while not actor.is_over or call is not None:
            if call is None:
                if self._leaves:
                    break
                self._wakeups.get()
                call = self._next(actor)
                continue
            value, failure, later = answer(living, call, actor, self._worker, nbytes_max)
            if later is not None:
                # What is awaitable though the class has no coroutine methods.
                value, failure = _run_alone(later, call, actor, self._worker, nbytes_max)
            value, failure, saved = self._save(living, actor, call, value, failure)
            call = self._ended(actor, call, value, failure, saved, and_next=True)
        self._save_last(living, actor)

    # On an event loop.

    def _serve_in_loop(
        self, loop: asyncio.AbstractEventLoop, actor: Actor, living: LivingActor
    ) -> None:
        serving = loop.create_task(self._serve_calls(actor, living))
        while not serving.done():
            try:
                loop.run_until_complete(serving)
            except (KeyboardInterrupt, SystemExit):
                # Of a task that the user's code made beside ours: asyncio lets these through.
                _logger.warning("code of actor %r tried to end its loop", actor.key)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        self._close_loop()

    def _close_loop(self) -> None:
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve_calls(self, actor: Actor, living: LivingActor) -> None:
        nbytes_max = self._executor.value_nbytes_max
        assert self._stirred is not None
        waiting = self._waiting
        while True:
            call = self._next(actor)
            if call is None:
                if actor.is_over or self._leaves:
                    break
                await self._stirred.wait()
                self._stirred.clear()
                continue
            value, failure, later = answer(living, call, actor, self._worker, nbytes_max)
            if later is None:
                self._end_one(actor, living, call, value, failure)
                continue
            task = asyncio.get_running_loop().create_task(
                self._wait_for(later, actor, living, call)
            )
            waiting[call.caller, call.number] = task
            # It begins before the next call does.
            await asyncio.sleep(0)
        if self._leaves and waiting:
            # (What waits longer may wait for a call that nobody makes any more.)
            await asyncio.wait(waiting.values(), timeout=_LAST_CALLS_S)
        self._save_last(living, actor)

    async def _wait_for(
        self, later: Awaitable[Any], actor: Actor, living: LivingActor, call: Call
    ) -> None:
        nbytes_max = self._executor.value_nbytes_max
        value, failure = await answer_later(later, call, actor, self._worker, nbytes_max)
        name = call.caller, call.number
        del self._waiting[name]
        if name in self._interrupted:
            self._interrupted.discard(name)
            if failure is not None:
                failure = self._executor.desk.machine.tables.actors.cancelled(actor)
        self._end_one(actor, living, call, value, failure)

    def _end_one(
        self,
        actor: Actor,
        living: LivingActor,
        call: Call,
        value: bytes | None,
        failure: Failure | None,
    ) -> None:
        value, failure, saved = self._save(living, actor, call, value, failure)
        self._ended(actor, call, value, failure, saved, and_next=False)

    # Both.

    def _next(self, actor: Actor) -> Call | None:
        desk = self._executor.desk
        with desk.lock:
            if desk.closing:
                actor.is_over = True
                return None
            return desk.machine.tables.actors.take(actor)

    def _save(
        self,
        living: LivingActor,
        actor: Actor,
        call: Call,
        value: bytes | None,
        failure: Failure | None,
    ) -> tuple[bytes | None, Failure | None, bytes | None]:
        """Take a checkpoint if it is time; if that fails, so does the call, which says so."""
        spec = living.actor_class
        if not spec.is_restorable or actor.unsaved_count + 1 < spec.checkpoint_every:
            return value, failure, None
        try:
            return value, failure, checkpoint_of(living)
        except BaseException as error:  # noqa: BLE001 - code of the user's
            error.add_note(
                f"the call of {call.method!r} was made, but the actor could not be saved after it"
            )
            return None, failure or fail(error, call, actor, self._worker), None

    @property
    def _leaves(self) -> bool:
        return self._executor.desk.machine.tables.actors.leaving

    def _save_last(self, living: LivingActor, actor: Actor) -> None:
        """Take a last checkpoint as the worker leaves, so that no call is lost that has ended."""
        if not (self._leaves and actor.unsaved_count and living.actor_class.is_restorable):
            return
        try:
            state = checkpoint_of(living)
        except BaseException:  # code of the user's
            _logger.exception("actor %r could not be saved as its worker left", actor.key)
            return
        desk = self._executor.desk
        with desk.lock:
            if not desk.closing and not actor.is_over:
                tables = desk.machine.tables
                tables.outbox.saved(tables.actors.save(actor, state))
                desk.flush_soon()

    def _ended(
        self,
        actor: Actor,
        call: Call,
        value: bytes | None,
        failure: Failure | None,
        saved: bytes | None,
        *,
        and_next: bool,
    ) -> Call | None:
        """Report a call, and take the next one if that is wanted."""
        executor = self._executor
        desk = executor.desk
        with desk.lock:
            if desk.closing:
                actor.is_over = True
                return None
            actors = desk.machine.tables.actors
            if saved is not None and not actor.is_over:
                news = actors.end_saved(actor, call, value, failure, saved)
                desk.machine.tables.outbox.saved(news)
                desk.flush_soon()
            else:
                actors.end(actor, call, value, failure)
            following = actors.take(actor) if and_next else None
            executor.on_replies(bool(following or actor.calls))
            return following


def _has_coroutines(cls: type) -> bool:
    """Tell whether a class has coroutine methods."""
    return any(
        inspect.iscoroutinefunction(getattr(cls, name, None))
        for name in dir(cls)
        if not name.startswith("__") or name == "__call__"
    )


def _run_alone(
    later: Awaitable[Any], call: Call, actor: Actor, worker: str, value_nbytes_max: int
) -> tuple[bytes | None, Failure | None]:
    try:
        return asyncio.run(answer_later(later, call, actor, worker, value_nbytes_max))
    except BaseException as error:  # noqa: BLE001 - code of the user's
        return None, fail(error, call, actor, worker)
