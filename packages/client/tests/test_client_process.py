"""Clients and their process: forks, interrupts, the end of the interpreter, what is imported."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hocket.client import Client, progress, wait
from hocket.core.errors import HocketError
from hocket.protocol.messages import SubmitTasks


def increment(x: int) -> int:
    return x + 1


def test_progress(client: Client, scheduler: Any) -> None:
    text = io.StringIO()
    futures = client.map(increment, range(30))
    bad = client.submit(divmod, 1, 0)
    progress([futures, bad], console=Console(file=text, width=100))
    shown = text.getvalue()
    assert "increment" in shown
    assert "30/30" in shown
    assert "divmod" in shown
    assert "1 failed" in shown
    progress([])


def test_an_interrupted_gather_leaves_all_usable(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    futures = client.map(increment, range(10))
    scheduler.await_message(SubmitTasks)

    heard = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        while futures[-1].record.watches is None:
            pass
        # Python misses a signal that comes just before a lock is waited for: so until it is heard.
        while not heard.wait(0.2):
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        client.gather(futures)
    heard.set()
    thread.join()
    scheduler.let_go()
    assert client.gather(futures) == list(range(1, 11))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forks beside threads
def test_a_forked_child_is_told_and_can_make_its_own_client(client: Client, scheduler: Any) -> None:
    done = client.submit(increment, 1)
    wait(done, 5)
    scheduler.held = True
    pending = client.submit(increment, 2)
    with client.submit(increment, 3).session.lock:  # as if another thread held it
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = _look_around(client, done, pending)
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    scheduler.let_go()
    assert pending.result(5) == 3


def _look_around(client: Client, done: Any, pending: Any) -> int:
    if done.result(5) != 2 or pending.status != "lost" or not client.closed:
        return 2
    for call in (pending.result, lambda: client.submit(increment, 1), client.scheduler_info):
        try:
            call()
        except HocketError as error:
            if "forked" not in str(error):
                return 3
        else:
            return 4
    client.close()
    del done, pending
    return 0


SCRIPT = """
    from hocket.client import Client, fire_and_forget

    client = Client({address!r})

    def work(x):
        return helper(x)

    def helper(x):
        return x * 2

    futures = client.map(work, range(5))
    print(client.gather(futures))
    pending = client.map(work, range(5))
    other = Client({address!r})
    fire_and_forget(other.submit(work, 1))
    {end}
"""


@pytest.mark.parametrize("scheduler", ["tcp"], indirect=True)
@pytest.mark.parametrize("end", ["", "del client", "client.close()", "raise SystemExit"])
def test_a_script_ends_by_itself_quietly(tmp_path: Path, scheduler: Any, end: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(address=scheduler.address, end=end)))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[0, 2, 4, 6, 8]\n", "", 0)


def test_the_machine_is_imported_without_a_loop() -> None:
    code = """
        import sys
        import hocket.client
        assert "hocket.protocol" not in sys.modules
        import hocket.client.machine
        bad = {"asyncio", "socket", "threading", "random", "subprocess", "rich"} & set(sys.modules)
        assert not bad, bad
        assert "Client" in dir(hocket.client)
        from hocket.client import Client
        assert not {"rich", "numpy", "hocket.graph"} & set(sys.modules)
        try:
            hocket.client.Clint
        except AttributeError as error:
            assert "Clint" in str(error)
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
