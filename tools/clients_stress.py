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
from collections.abc import Callable
from typing import Any

from clients_users import NAMES, PATIENCE_S, Outcome, User, increment
from hocket.client import Client, Lock, LockLost, MultiLock, Queue, Semaphore, Variable
from hocket.core.errors import HocketError
from hocket.deploy import LocalCluster

__all__ = ["Outcome", "stress_clients", "stress_kills", "stress_threads"]

THREADS = 20
CLIENTS = 50
VICTIMS = 4

LEASES = 3

#: A session that is silent for so long is cut: so that one who is stopped loses what it holds.
SETTINGS = {
    "session.local_grace_s": 0.2,
    "session.keepalive_s": 0.2,
    "session.silent_s": 1.0,
}
STOPPED_S = 2.0


# ------------------------------------------------------------------------ threads and clients


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
