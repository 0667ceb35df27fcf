"""Many threads, many clients, clients that are killed: answers are right, and nothing is stuck.

::

    python tools/clients_stress.py [threads] [clients] [kills] [--seconds 60] [--seed 7]

``threads``: twenty threads use one client at once, each in every way that there is, for so long.
``clients``: fifty clients on one scheduler do the same, each in a thread of its own. ``kills``:
processes with a client each take locks, leases and items of a queue, hold them, submit tasks; all
the time one of them is killed, or stopped for longer than its session lives. Every answer is
compared with what it must be, locks are watched by their tokens in memory that all processes share,
and nothing may wait for longer than ``PATIENCE_S``. At the end all must be free, and gone from the
scheduler.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hocket.client import (
    Client,
    Lock,
    LockLost,
    MultiLock,
    Queue,
    Semaphore,
    Variable,
    as_completed,
)
from hocket.core.errors import HocketError
from hocket.deploy import LocalCluster
from hocket.graph import Graph, Ref, Task

__all__ = ["Outcome", "stress_clients", "stress_kills", "stress_threads"]

#: What takes longer than this is stuck; the machine may have much else to do.
PATIENCE_S = 60.0

THREADS = 20
CLIENTS = 50
VICTIMS = 4

NAMES = ("x", "y", "z")
LEASES = 3

#: A session that is silent for so long is cut: so that one who is stopped loses what it holds.
SETTINGS = {
    "session.local_grace_s": 0.2,
    "session.keepalive_s": 0.2,
    "session.silent_s": 1.0,
}
STOPPED_S = 2.0


@dataclass
class Outcome:
    """What came of it.

    Parameters
    ----------
    deeds
        How often each thing was done.
    faults
        What was wrong, in words.
    """

    deeds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{count:9,} {name}" for name, count in sorted(self.deeds.items())]
        return "\n".join([*lines, *(f"FAULT: {one}" for one in self.faults), ""])


# ------------------------------------------------------------------------ what tasks do


def increment(number: int) -> int:
    """Return the next number."""
    return number + 1


def total(*numbers: int) -> int:
    """Return the sum."""
    return sum(numbers)


def fail(number: int) -> None:
    """Raise."""
    raise ValueError(number)


def rest(seconds: float) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds


def length(data: bytes) -> int:
    """Return how long data are."""
    return len(data)


# ------------------------------------------------------------------------ threads and clients


class User:
    """Uses a client in every way, again and again, and compares what comes back.

    Parameters
    ----------
    client
        Others may use it, too.
    random_
        Says what comes next.
    outcome
        Shared by all users.
    """

    def __init__(self, client: Client, random_: random.Random, outcome: Outcome) -> None:
        self._client = client
        self._random = random_
        self._outcome = outcome
        self.deeds_count = 0
        self._deeds: list[Callable[[], None]] = [
            self._submit,
            self._map,
            self._chain,
            self._graph,
            self._scatter,
            self._error,
            self._cancel,
            self._as_completed,
            self._callback,
            self._ask,
            self._lock,
            self._queue,
            self._executor,
        ]

    def use_until(self, end_s: float) -> None:
        """Do something until the clock says so."""
        while time.monotonic() < end_s and not self._outcome.faults:
            deed = self._random.choice(self._deeds)
            name = deed.__name__.strip("_")
            begin_s = time.monotonic()
            try:
                deed()
            except Exception:  # noqa: BLE001 - whatever it is, it is a finding
                self._outcome.faults.append(f"{name}: {traceback.format_exc()}")
                return
            took_s = time.monotonic() - begin_s
            if took_s > PATIENCE_S:
                self._outcome.faults.append(f"{name} took {took_s:.0f} s")
            self._outcome.deeds[name] += 1
            self.deeds_count += 1

    def _number(self) -> int:
        return self._random.randrange(1_000_000)

    def _submit(self) -> None:
        number = self._number()
        assert self._client.submit(increment, number).result(PATIENCE_S) == number + 1

    def _map(self) -> None:
        numbers = [self._number() for _ in range(self._random.randrange(1, 60))]
        futures = self._client.map(increment, numbers)
        assert self._client.gather(futures, timeout=PATIENCE_S) == [one + 1 for one in numbers]

    def _chain(self) -> None:
        number = self._number()
        future = self._client.submit(increment, number)
        for _ in range(5):
            # (The future before is let go while it is needed.)
            future = self._client.submit(increment, future)
        assert future.result(PATIENCE_S) == number + 6

    def _graph(self) -> None:
        number = self._number()
        entries: dict[Any, Any] = {
            f"leaf-{one}": Task(increment, (number + one,)) for one in range(8)
        }
        leaves = tuple(map(Ref, entries))
        graph = Graph({**entries, "total": Task(total, leaves)})
        found = self._client.get(graph, "total", timeout=PATIENCE_S)
        assert found == sum(number + one + 1 for one in range(8))

    def _scatter(self) -> None:
        data = self._random.randbytes(self._random.choice([10, 5_000, 200_000]))
        future = self._client.scatter(data)
        lengths = self._client.map(length, [future] * 3)
        assert self._client.gather(lengths, timeout=PATIENCE_S) == [len(data)] * 3
        assert future.result(PATIENCE_S) == data

    def _error(self) -> None:
        number = self._number()
        error = self._client.submit(fail, number).exception(PATIENCE_S)
        assert isinstance(error, ValueError)
        assert error.args == (number,)

    def _cancel(self) -> None:
        futures = self._client.map(rest, [0.01] * 10)
        self._client.cancel(futures)
        assert all(one.cancelled() or one.done() for one in futures)

    def _as_completed(self) -> None:
        numbers = [self._number() for _ in range(20)]
        futures = self._client.map(increment, numbers)
        found = [one.result(PATIENCE_S) for one in as_completed(futures, timeout=PATIENCE_S)]
        assert sorted(found) == sorted(one + 1 for one in numbers)

    def _callback(self) -> None:
        called = threading.Event()
        future = self._client.submit(increment, 1)
        future.add_done_callback(lambda _future: called.set())
        assert called.wait(PATIENCE_S)

    def _ask(self) -> None:
        future = self._client.submit(increment, 1)
        future.result(PATIENCE_S)
        assert self._client.who_has([future])[future.key]
        assert self._client.nthreads()

    def _lock(self) -> None:
        name = self._random.choice(NAMES)
        counter = Variable(f"counter-{name}", self._client)
        with Lock(name, self._client):
            counter.set(counter.get(timeout=PATIENCE_S) + 1)
        self._outcome.deeds[f"counted {name}"] += 1

    def _queue(self) -> None:
        queue = Queue("numbers", self._client)
        queue.put(self._number(), timeout=PATIENCE_S)
        assert isinstance(queue.get(timeout=PATIENCE_S), int)

    def _executor(self) -> None:
        number = self._number()
        with self._client.get_executor() as executor:
            rows = range(number, number + 10)
            assert list(executor.map(increment, rows)) == [one + 1 for one in rows]


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secrets


def stress_threads(seconds: float, seed: int, threads_count: int = THREADS) -> Outcome:
    """Have many threads use one client."""
    outcome = Outcome()
    with LocalCluster(2, 1) as cluster, Client(cluster) as client:
        users = [User(client, _dice(f"{seed}-{one}"), outcome) for one in range(threads_count)]
        _run_users(client, users, seconds, outcome)
    return outcome


def stress_clients(seconds: float, seed: int, clients_count: int = CLIENTS) -> Outcome:
    """Have many clients use one scheduler, each in a thread of its own."""
    outcome = Outcome()
    with LocalCluster(2, 1) as cluster, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(cluster)) for _ in range(clients_count)]
        users = [
            User(client, _dice(f"{seed}-{one}"), outcome) for one, client in enumerate(clients)
        ]
        _run_users(clients[0], users, seconds, outcome)
        slowest = min(user.deeds_count for user in users)
        outcome.deeds["of the client that did least"] = slowest
        if not slowest:
            outcome.faults.append("a client did nothing at all")
    return outcome


def _run_users(client: Client, users: list[User], seconds: float, outcome: Outcome) -> None:
    for name in NAMES:
        Variable(f"counter-{name}", client).set(0)
    end_s = time.monotonic() + seconds
    threads = [
        threading.Thread(target=user.use_until, args=(end_s,), name=f"user-{number}", daemon=True)
        for number, user in enumerate(users)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, end_s - time.monotonic()) + 2 * PATIENCE_S)
        if thread.is_alive():
            outcome.faults.append(f"{thread.name} is stuck: {_stack_of(thread)}")
    for name in NAMES:
        counted = Variable(f"counter-{name}", client).get(timeout=PATIENCE_S)
        if counted != outcome.deeds[f"counted {name}"] and not outcome.faults:
            outcome.faults.append(
                f"under lock {name!r}, {outcome.deeds[f'counted {name}']} made {counted}"
            )
    _expect_nothing_left(client, outcome)


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no other way
    return "".join(traceback.format_stack(frame)) if frame is not None else "it has ended"


def _expect_nothing_left(client: Client, outcome: Outcome) -> None:
    """Note as faults what is left on the cluster that nobody has a future of."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        left = {
            "results": [key for key in client.who_has() if key],
            "tasks": [key for keys in client.processing().values() for key in keys],
        }
        if not any(left.values()):
            return
        # (An error and the frames in its traceback keep each other, and a future with them.)
        gc.collect()
        time.sleep(0.1)
    outcome.faults += [
        f"left: {len(keys)} {name}, {keys[:5]}" for name, keys in left.items() if keys
    ]


# ------------------------------------------------------------------------ clients that are killed


class Watched:
    """What locks protect, in memory that all processes share: it refuses tokens that are stale.

    Parameters
    ----------
    cells
        One for each name: the greatest token that came by.
    """

    def __init__(self, cells: Any) -> None:
        self._cells = cells

    def enter(self, name: str, token: int) -> bool:
        """Come with a token; return whether nobody was there with a greater one."""
        place = NAMES.index(name)
        before = self._cells[place]
        assert before != token, f"{name!r} was given twice with token {token}"
        if before > token:
            return False
        self._cells[place] = token
        return True

    def is_still(self, name: str, token: int) -> bool:
        """Tell whether nobody else was inside since."""
        return bool(self._cells[NAMES.index(name)] == token)


def be_killed(
    address: str, secret: str, settings: Any, cells: Any, done: Any, faults: Any, seed: str
) -> None:
    """Use locks, leases, a queue and tasks until killed."""
    random_ = _dice(str(seed))
    watched = Watched(cells)
    while True:
        # One who was stopped for too long finds its client closed, and makes another.
        with (
            contextlib.suppress(HocketError, ConnectionError),
            Client(address, secret=secret, settings=settings) as client,
        ):
            while not client.closed:
                try:
                    _use_locks(client, watched, random_)
                except AssertionError as error:
                    faults.put(f"{error}\n{traceback.format_exc()}")
                    return
                with done.get_lock():
                    done.value += 1


def _use_locks(client: Client, watched: Watched, random_: random.Random) -> None:
    queue = Queue("items", client)
    name = random_.choice(NAMES)
    lock = Lock(name, client)
    with contextlib.suppress(LockLost), lock, Semaphore(LEASES, "leases", client=client):
        token = lock.fencing_token
        if not watched.enter(name, token):
            _expect_lost(lock, name, token)
        futures = client.map(increment, range(random_.randrange(10)))
        queue.put((os.getpid(), token))
        time.sleep(random_.random() * 0.01)
        client.gather(futures)
        if not watched.is_still(name, token):
            _expect_lost(lock, name, token)
    with contextlib.suppress(LockLost, TimeoutError), MultiLock(NAMES, client):
        queue.get(timeout=0.05)


def _expect_lost(lock: Lock, name: str, token: int) -> None:
    """Release a lock that somebody else has by now: who was stopped must be told, here at last."""
    lock.release()
    raise AssertionError(f"{name!r} was given to two, and who has token {token} heard nothing")


def stress_kills(
    seconds: float, seed: int, victims_count: int = VICTIMS, kills_count: int | None = None
) -> Outcome:
    """Kill and stop clients that hold locks, for so long or so often; see that nothing is stuck."""
    random_ = _dice(str(seed))
    outcome = Outcome()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__ if __name__ != "__main__" else "clients_stress"])
    cells, done = context.Array("q", len(NAMES), lock=False), context.Value("q", 0)
    faults = context.SimpleQueue()
    with LocalCluster(2, 1, settings=SETTINGS) as cluster, Client(cluster) as client:
        arguments = (cluster.address, cluster.secret, client.settings, cells, done, faults)

        def begin() -> Any:
            seed_of_one = f"{seed}-{outcome.deeds['begun']}"
            outcome.deeds["begun"] += 1
            process = context.Process(target=be_killed, args=(*arguments, seed_of_one))
            process.start()
            return process

        victims = [begin() for _ in range(victims_count)]
        end_s = time.monotonic() + seconds
        try:
            while faults.empty() and (
                time.monotonic() < end_s
                if kills_count is None
                else outcome.deeds["killed"] + outcome.deeds["stopped"] < kills_count
            ):
                _expect_progress(done, outcome)
                time.sleep(random_.random() * 0.3)
                victim = random_.choice(victims)
                if random_.random() < 0.2:
                    os.kill(victim.pid, signal.SIGSTOP)
                    time.sleep(STOPPED_S)
                    os.kill(victim.pid, signal.SIGCONT)
                    outcome.deeds["stopped"] += 1
                    continue
                _kill(victim)
                outcome.deeds["killed"] += 1
                victims[victims.index(victim)] = begin()
        finally:
            for victim in victims:
                _kill(victim)
        while not faults.empty():
            outcome.faults.append(faults.get())
        outcome.deeds["held"] = done.value
        _expect_all_free(client, outcome)
        _expect_nothing_left(client, outcome)
    return outcome


def _kill(process: Any) -> None:
    process.kill()
    process.join(PATIENCE_S)
    process.close()


def _expect_progress(done: Any, outcome: Outcome) -> None:
    """Wait until somebody has held something again."""
    before, deadline_s = done.value, time.monotonic() + PATIENCE_S
    while done.value == before:
        if time.monotonic() > deadline_s:
            outcome.faults.append(f"nobody gets anywhere for {PATIENCE_S:.0f} s")
            raise SystemExit(str(outcome))
        time.sleep(0.005)


def _expect_all_free(client: Client, outcome: Outcome) -> None:
    with contextlib.suppress(TimeoutError):
        while True:
            Queue("items", client).get(timeout=0.1)
    locks = MultiLock(NAMES, client)
    if locks.acquire(timeout=PATIENCE_S):
        locks.release()
    else:
        outcome.faults.append("the locks are held, and those that held them are dead")
    leases = Semaphore(LEASES, "leases", client=client)
    if leases.acquire(timeout=PATIENCE_S, n=LEASES):
        leases.release()
    else:
        outcome.faults.append("leases are held, and those that held them are dead")


SHOWS: dict[str, Callable[[float, int], Outcome]] = {
    "threads": stress_threads,
    "clients": stress_clients,
    "kills": stress_kills,
}


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shows", nargs="*", default=list(SHOWS), help=", ".join(SHOWS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))  # noqa: S311
    options = parser.parse_args()
    faults_count = 0
    for name in options.shows:
        if name not in SHOWS:
            parser.error(f"there is no {name!r}; there are {', '.join(SHOWS)}")
        print(f"{name}: {options.seconds:g} s, seed {options.seed}", flush=True)
        outcome = SHOWS[name](options.seconds, options.seed)
        print(outcome, flush=True)
        faults_count += len(outcome.faults)
    return 1 if faults_count else 0


if __name__ == "__main__":
    sys.exit(main())
