"""A worker as a process: how it begins and ends."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from hocket.protocol.serialize import load_value

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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_good_order(with_scheduler, number):
    async def scenario(scheduler):
        child = await start_child(scheduler)
        reasons = []
        ended = asyncio.Event()

        def on_closed(channel, reason, clean):
            reasons.append((reason, clean))
            ended.set()

        scheduler.channels[0].on_closed = on_closed
        child.send_signal(number)
        await ended.wait()
        assert reasons == [(f"the worker got {number.name}", True)]
        _, stderr = await child.communicate()
        assert (child.returncode, stderr) == (0, b"")

    with_scheduler(scenario, "tcp")


def test_losing_the_scheduler_ends_it_with_a_clear_line(with_scheduler):
    async def scenario(scheduler):
        child = await start_child(scheduler)
        scheduler.channels[0].detach()
        _, stderr = await child.communicate()
        assert child.returncode == 1
        assert b"'child' lost its scheduler" in stderr

    with_scheduler(scenario, "tcp")
