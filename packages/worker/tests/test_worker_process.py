"""A worker as a process: how it begins and ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress

import pytest

from hocket.protocol.messages import LeaveCluster, WorkerLeaving
from hocket.protocol.serialize import load_value
from hocket.worker.shell.process import LOST_SCHEDULER

PROGRAM = """
import sys
from hocket.core.settings import Settings
from hocket.worker.shell import run_worker
settings = Settings.build(overrides={"session.local_grace_s": 0, "transport.loop": "asyncio"})
code = run_worker(
    sys.argv[1],
    name="child",
    threads=1,
    settings=settings,
    ready=lambda address: print("ready", address, flush=True),
)
sys.exit(code)
"""


async def start_child(scheduler):
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        scheduler.address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    line = await child.stdout.readline()
    word, address = line.decode().split()
    assert word == "ready"
    assert address.startswith("unix://")
    return child


def test_a_worker_process_works(with_scheduler):
    async def scenario(scheduler):
        child = await start_child(scheduler)
        value = await scheduler.result(scheduler.task(sys.getswitchinterval))
        assert load_value(value) == pytest.approx(0.001)
        scheduler.channels[0].close("done")
        _, stderr = await child.communicate()
        assert (child.returncode, stderr) == (0, b"")

    with_scheduler(scenario, "tcp")


def closings(scheduler):
    """Return a queue of how the first worker's session ends."""
    ends = asyncio.Queue()
    channel = scheduler.channels[0]
    channel.on_closed = lambda _, reason, clean: ends.put_nowait((reason, clean))
    return ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_makes_it_ask_to_leave(with_scheduler, number):
    async def scenario(scheduler):
        child = await start_child(scheduler)
        ends = closings(scheduler)
        child.send_signal(number)
        await scheduler.hear(lambda: scheduler.of(WorkerLeaving))
        assert scheduler.of(WorkerLeaving) == [WorkerLeaving(f"the worker got {number.name}")]
        scheduler.send(LeaveCluster("drained"))
        assert await ends.get() == ("drained", True)
        _, stderr = await child.communicate()
        assert (child.returncode, stderr) == (0, b"")

    with_scheduler(scenario, "tcp")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(with_scheduler, number):
    async def scenario(scheduler):
        child = await start_child(scheduler)
        ends = closings(scheduler)
        child.send_signal(signal.SIGTERM)
        await scheduler.hear(lambda: scheduler.of(WorkerLeaving))
        # What comes within a second is no second request: job queues signal whole groups.
        while ends.empty():
            child.send_signal(number)
            with suppress(TimeoutError):
                ends.put_nowait(await asyncio.wait_for(ends.get(), 0.1))
        assert await ends.get() == (f"the worker got {number.name} again", True)
        _, stderr = await child.communicate()
        assert (child.returncode, stderr) == (0, b"")

    with_scheduler(scenario, "tcp")


def test_a_signal_ends_it_while_it_connects():
    async def main():
        server = socket.create_server(("127.0.0.1", 0))
        server.setblocking(False)
        port = server.getsockname()[1]
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            f"tcp://127.0.0.1:{port}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        # It takes the connection, and says nothing.
        connection, _ = await asyncio.get_running_loop().sock_accept(server)
        child.send_signal(signal.SIGTERM)
        stdout, stderr = await child.communicate()
        connection.close()
        assert (child.returncode, stdout, stderr) == (0, b"", b"")
        server.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_losing_the_scheduler_ends_it_with_a_clear_line(with_scheduler):
    async def scenario(scheduler):
        child = await start_child(scheduler)
        scheduler.channels[0].detach()
        _, stderr = await child.communicate()
        assert child.returncode == LOST_SCHEDULER
        assert b"'child' lost its scheduler" in stderr

    with_scheduler(scenario, "tcp")
