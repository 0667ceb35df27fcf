"""What open tabs of the dashboard cost the scheduler, here and in dask, in one run.

    python benchmarks/dashboard.py [--rate 5000] [--dask-rate 500] [--tabs 0,1,10] [--seconds 8]

A client submits empty tasks at a steady rate; so many tabs of the status page are open (websocket
clients without a screen, in a process of their own). Told are the scheduler's CPU, as a part of a
core and by task, the tasks that ended in a second, and what a tab is sent.

dask's scheduler spends several times as long on a task, and does not reach hocket's rate on a small
machine, so it gets one of its own, at which hocket is measured, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from apart import engines_there, print_table, run_apart


def nothing(number: int) -> int:
    """Return at once."""
    return number


@contextmanager
def hocket_cluster() -> Iterator[tuple[Any, int, str]]:
    """Yield a client, the scheduler's process, and its status page."""
    from hocket.client import Client
    from hocket.deploy import LocalCluster

    with LocalCluster(2, 1) as cluster, Client(cluster) as client:
        yield client, cluster.scheduler_pid, f"{cluster.dashboard_link}status"


@contextmanager
def dask_cluster() -> Iterator[tuple[Any, int, str]]:
    """Yield the same of dask, its scheduler in a process of its own."""
    from distributed import Client

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "scheduler.json"))
        module = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
        port = _free_port()
        scheduler = subprocess.Popen(
            [
                *module,
                "--port=0",
                f"--dashboard-address=127.0.0.1:{port}",
                f"--scheduler-file={file}",
            ],
            stderr=subprocess.DEVNULL,
        )
        module = [sys.executable, "-m", "distributed.cli.dask_worker", f"--scheduler-file={file}"]
        while not Path(file).exists():
            time.sleep(0.1)
        workers = subprocess.Popen(
            [*module, "--nworkers=2", "--nthreads=1", "--no-dashboard"], stderr=subprocess.DEVNULL
        )
        try:
            with Client(scheduler_file=file) as client:
                client.wait_for_workers(2)
                yield client, scheduler.pid, f"http://127.0.0.1:{port}/status"
        finally:
            for process in (workers, scheduler):
                process.terminate()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def drive(client: Any, rate: float, seconds: float) -> float:
    """Submit tasks at a rate for so long; return how many ended in a second."""
    began = time.perf_counter()
    done = 0
    former: list[Any] = []
    while (elapsed := time.perf_counter() - began) < seconds:
        owed = int(elapsed * rate) - done
        if owed > 0:
            futures = client.map(nothing, range(done, done + owed), pure=False)
            done += owed
            client.gather(former)
            former = futures
        time.sleep(0.02)
    client.gather(former)
    return done / (time.perf_counter() - began)


#: Once tabs are open, before the clock is looked at: what is imported for the first is no cost of
#: each.
_SETTLING_S: Final = 3.0


def measure(engine: str, tab_counts: list[int], rate: float, seconds: float) -> list[list[Any]]:
    """Return a row for each number of tabs."""
    rows: list[list[Any]] = []
    with {"hocket": hocket_cluster, "dask": dask_cluster}[engine]() as (client, pid, url):
        drive(client, rate, 2)
        scheduler = psutil.Process(pid)
        for count in tab_counts:
            command = [sys.executable, __file__, "--as-tabs", url, "--tabs", str(count)]
            tabs = subprocess.Popen(
                [*command, "--seconds", str(seconds + _SETTLING_S)],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert tabs.stdout is not None
            if tabs.stdout.readline() != "open\n":
                raise SystemExit("the tabs could not be opened")
            drive(client, rate, _SETTLING_S)
            before = scheduler.cpu_times()
            began = time.perf_counter()
            tasks_per_s = drive(client, rate, seconds)
            wall = time.perf_counter() - began
            after = scheduler.cpu_times()
            busy = after.user + after.system - before.user - before.system
            received, _ = tabs.communicate()
            row = [engine, count, round(tasks_per_s), round(100 * busy / wall, 1)]
            rows.append([*row, round(1e6 * busy / (tasks_per_s * wall)), *json.loads(received)])
            time.sleep(1)
    return rows


async def be_tabs(url: str, count: int, seconds: float) -> None:
    """Be so many tabs for so long; print what they were sent."""
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.websocket import websocket_connect

    received = [0, 0]

    async def open_tab() -> Any:
        page = (await AsyncHTTPClient().fetch(url, request_timeout=60)).body.decode()
        found = re.search(r'(?:"token":\s*|data-token=)"([^"]+)"', page)
        if found is None:
            raise SystemExit(f"{url} is no page of Bokeh's")
        origin = "/".join(url.split("/")[:3])
        request = HTTPRequest(f"ws{url.removeprefix('http')}/ws", headers={"Origin": origin})
        connection = await websocket_connect(request, subprotocols=["bokeh", found[1]])
        await connection.read_message()
        return connection

    async def read(connection: Any) -> None:
        while (message := await connection.read_message()) is not None:
            received[0] += len(message)
            received[1] += 1

    connections = await asyncio.gather(*(open_tab() for _ in range(count)))
    print("open", flush=True)
    tabs = [asyncio.create_task(read(connection)) for connection in connections]
    await asyncio.sleep(seconds)
    for tab in tabs:
        tab.cancel()
    await asyncio.gather(*tabs, return_exceptions=True)
    per_tab_s = max(count, 1) * seconds
    print(json.dumps([round(received[0] / per_tab_s / 1000, 1), round(received[1] / per_tab_s, 1)]))


def main() -> None:
    """Measure both, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--dask-rate", type=float, default=500)
    parser.add_argument("--tabs", default="0,1,10")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--engines", default="hocket,dask")
    parser.add_argument("--markdown", help="write the table to this file, too")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "RATE"), help=argparse.SUPPRESS)
    parser.add_argument("--as-tabs", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(each) for each in options.tabs.split(",")]
    if options.as_tabs:
        asyncio.run(be_tabs(options.as_tabs, counts[0], options.seconds))
        return
    if options.one:
        engine, rate = options.one
        print(json.dumps(measure(engine, counts, float(rate), options.seconds)))
        return
    engines = engines_there(options.engines)
    plan = [("hocket", options.rate), ("hocket", options.dask_rate), ("dask", options.dask_rate)]

    def rows_of(name: str) -> str:
        """Return the rows of an engine and a rate."""
        engine, rate = name.split()
        chosen = ("--tabs", options.tabs, "--seconds", str(options.seconds))
        rows = run_apart(engine, __file__, "--one", engine, rate, *chosen)
        return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)

    print_table(
        "two workers of one thread, tabs of the status page",
        [
            "engine",
            "tabs",
            "tasks/s",
            "scheduler, % of a core",
            "us a task",
            "kB/s a tab",
            "frames/s",
        ],
        [f"{engine} {rate}" for engine, rate in plan if engine in engines],
        rows_of,
        options.markdown,
    )


if __name__ == "__main__":
    main()
