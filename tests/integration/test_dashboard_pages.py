"""Every page of a running cluster in a real browser: it renders, moves, and has no error.

Screenshots are kept where the variable ``SCREENSHOTS`` names a folder.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hocket.client import Client
from hocket.deploy import LocalCluster
from hocket.diagnostics import plots
from hocket.diagnostics.visuals import BOOK

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium: run ci/debian-packages"),
]

assert plots  # They are made when this is imported.

PAGES = [page.name for page in BOOK.pages("scheduler")]
WORKER_PAGES = [page.name for page in BOOK.pages("worker")]


def increment(number: float) -> float:
    time.sleep(0.002)
    return number + 1


def load(number: float) -> bytes:
    time.sleep(0.02)
    return bytes(400_000) + str(number).encode()


def total(*parts: bytes) -> int:
    return sum(map(len, parts))


def fail(number: float) -> None:
    logging.getLogger("flights").warning("<b>%s</b> fails", number)
    raise ValueError(f"<script>alert({number})</script>")


def work(client: Client, stop: threading.Event) -> None:
    """Keep the cluster busy with tasks of several kinds, until it is told to stop."""
    count = 0
    while not stop.is_set():
        count += 1
        increments = client.map(increment, [count + number / 100 for number in range(100)])
        parts = [
            client.submit(load, count + number, workers=f"worker-{number % 2}")
            for number in range(6)
        ]
        sums = [client.submit(total, *parts, workers=f"worker-{number}") for number in range(2)]
        failed = client.submit(fail, count)
        client.log_event("rounds", {"round": count, "text": "<i>one</i>"})
        client.gather(increments)
        client.gather(sums)
        failed.exception()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Yield the dashboard's link of a cluster that has much to do."""
    stop = threading.Event()
    with LocalCluster(2, 2, resources={"GPU": 1}) as cluster, Client(cluster) as client:
        worker = threading.Thread(target=work, args=(client, stop))
        worker.start()
        yield cluster.dashboard_link
        stop.set()
        worker.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


#: What Bokeh says of a plot in which there is nothing yet.
_HARMLESS = "could not set initial ranges"


class Tab:
    """A page in the browser, and all that went wrong in it."""

    def __init__(self, browser, base: str, *, dark: bool = False, phone: bool = False) -> None:
        size = {"width": 390, "height": 800} if phone else {"width": 1280, "height": 900}
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.base = base
        host = urlsplit(base).netloc
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console",
            lambda said: (
                self.faults.append(said.text)
                if said.type in {"error", "warning"} and _HARMLESS not in said.text
                else 0
            ),
        )
        self.page.on(
            "request",
            lambda asked: (
                self.faults.append(f"it asks {asked.url}")
                if not asked.url.startswith(("data:", "blob:"))
                and urlsplit(asked.url).netloc != host
                else 0
            ),
        )
        self.page.on("dialog", lambda dialog: self.faults.append(f"alert {dialog.message}"))

    def open(self, path: str) -> None:
        answer = self.page.goto(self.base + path)
        assert answer.status == 200
        self.page.wait_for_selector("body[data-ready]", timeout=60_000)

    def picture(self) -> bytes:
        return self.page.screenshot(full_page=True, timeout=60_000)

    def keep(self, name: str) -> None:
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, f"{name}.png").write_bytes(self.picture())

    def close(self) -> None:
        self.context.close()


def wait_until_it_moves(tab: Tab) -> None:
    before = tab.picture()
    deadline = time.monotonic() + 30
    while tab.picture() == before:
        assert time.monotonic() < deadline, "it does not move"
        tab.page.wait_for_timeout(500)


#: Pages on which nothing need happen in half a minute.
STILL = {
    "resources",
    "clients",
    "stealing",
    "profile",
    "worker-profile",
    "graph",
    "worker-logs",
    "gpus",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_scheduler(browser, base, name):
    tab = Tab(browser, base)
    try:
        tab.open(name)
        if name not in STILL:
            wait_until_it_moves(tab)
        assert tab.page.inner_text("#state") == "live"
        tab.page.wait_for_timeout(1500)
        tab.keep(name)
        assert tab.faults == []
    finally:
        tab.close()


@pytest.mark.parametrize("name", WORKER_PAGES)
def test_a_page_of_a_worker_through_the_scheduler(browser, base, name):
    tab = Tab(browser, base)
    try:
        tab.open(f"worker/worker-0/{name}")
        if name not in STILL:
            wait_until_it_moves(tab)
        tab.page.wait_for_timeout(1500)
        tab.keep(f"worker-{name}")
        assert tab.faults == []
        tab.page.get_by_text("Scheduler").click()
        tab.page.wait_for_selector("body[data-ready]", timeout=60_000)
        assert tab.page.url.endswith("/status")
    finally:
        tab.close()


def test_a_worker_that_is_visited_directly_leads_to_the_scheduler_and_its_siblings(browser, base):
    with urllib.request.urlopen(f"{base}api/v1/records/workers", timeout=20) as answer:
        workers = {row["worker"]: row["dashboard"] for row in json.load(answer)["rows"]}
    tab = Tab(browser, workers["worker-1"])
    try:
        tab.open("main")
        tab.base = base
        tab.page.locator("details.brand summary").click()
        tab.faults.clear()
        tab.page.get_by_role("link", name="worker-0", exact=True).click()
        tab.page.wait_for_url(f"{base}worker/worker-0/main")
        tab.page.wait_for_selector("body[data-ready]", timeout=60_000)
    finally:
        tab.close()


def test_dark_and_on_a_phone(browser, base):
    for dark, phone in ((True, False), (False, True)):
        tab = Tab(browser, base, dark=dark, phone=phone)
        try:
            tab.open("status")
            wait_until_it_moves(tab)
            tab.page.wait_for_timeout(4000)
            tab.keep("status-dark" if dark else "status-phone")
            width = tab.page.evaluate("document.documentElement.scrollWidth")
            assert width <= tab.page.viewport_size["width"], "one has to scroll sideways"
            assert tab.faults == []
        finally:
            tab.close()


def test_a_key_is_found_and_explained(browser, base):
    tab = Tab(browser, base)
    try:
        tab.open("tasks")
        tab.page.locator("input[type=search]").first.fill("total")
        tab.page.wait_for_function(
            "[...document.querySelectorAll('.live-table')][0].innerText.includes('total-')",
            timeout=30_000,
        )
        assert tab.faults == []
    finally:
        tab.close()
