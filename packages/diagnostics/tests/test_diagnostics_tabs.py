"""Tabs: those that are closed or hidden cost nothing, and a broken page harms no other."""

from __future__ import annotations

import asyncio
import gc
import json
import re

import pytest
from running_site import close_socket
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from hocket.diagnostics import plot
from hocket.diagnostics.visuals import BOOK


async def open_tab(site, page):
    token = re.search(r'data-token="([^"]+)"', page)[1]
    request = HTTPRequest(f"ws://{site.host}/system/ws", headers={"Origin": site.url})
    socket = await websocket_connect(request, subprotocols=["bokeh", token])
    await read(socket)
    await send(socket, "PULL-DOC-REQ")
    await read(socket)
    return socket


async def send(socket, kind, content=None):
    header = {"msgid": "1", "msgtype": kind}
    for part in (header, {}, content or {}):
        await socket.write_message(json.dumps(part))


async def read(socket):
    """Read one message: header, metadata, content."""
    async with asyncio.timeout(10):
        parts = [await socket.read_message() for _ in range(3)]
        header = json.loads(parts[0])
        for _ in range(2 * header.get("num_buffers", 0)):
            await socket.read_message()
        return header["msgtype"]


def tabs_of(site):
    return site.server._mount._tabs


def test_a_tab_moves_until_it_is_closed(start_site):
    site = start_site()
    page = site.get("/system")[1]

    async def run():
        socket = await open_tab(site, page)
        site.watch.step()
        assert await read(socket) == "PATCH-DOC"
        tabs = tabs_of(site)
        assert len(tabs) == 1
        await close_socket(socket)
        async with asyncio.timeout(10):
            while len(tabs):  # noqa: ASYNC110 (there is nothing to wait for)
                await asyncio.sleep(0.01)
        return tabs

    tabs = site.loop.run(run())
    assert not any(tab.is_visible for tab in tabs._tabs)


@pytest.fixture
def collections():
    """Return a list to which each garbage collection that somebody asks for is added."""
    seen = []

    def see(phase, facts):
        if phase == "start":
            seen.append(facts["generation"])

    gc.disable()
    gc.callbacks.append(see)
    yield seen
    gc.callbacks.remove(see)
    gc.enable()


def test_a_session_that_ends_collects_no_garbage(start_site, monkeypatch, collections):
    site = start_site()
    page = site.get("/system")[1]

    async def come_and_go():
        socket = await open_tab(site, page)
        await close_socket(socket)
        application = site.server._mount.application
        contexts = list(application._applications.values())
        async with asyncio.timeout(20):
            while any(list(context.sessions) for context in contexts):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    site.loop.run(come_and_go())
    assert collections == []
    # Bokeh itself would, which stops a scheduler with a million tasks for most of a second.
    monkeypatch.setattr("bokeh.document.document.gc", gc)
    site.loop.run(come_and_go())
    assert 2 in collections


def test_a_page_that_fails_is_left_behind(start_site, caplog):
    @plot("Broken", on="system")
    def made_to_fail(view):
        """It fails."""
        view.on_tick(lambda: 1 / 0)
        figure = view.figure()
        figure.line([1], [2])
        return figure

    try:
        site = start_site()
        page = site.get("/system")[1]

        async def run():
            socket = await open_tab(site, page)
            tabs = tabs_of(site)
            async with asyncio.timeout(10):
                while tabs._tabs:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await close_socket(socket)

        site.loop.run(run())
    finally:
        visuals = BOOK.page("scheduler", "system").visuals
        visuals[:] = [visual for visual in visuals if visual.name != "made-to-fail"]
    assert "is not updated any more" in caplog.text
    assert site.get("/status")[0] == 200
