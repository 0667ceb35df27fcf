"""Panels in notebooks: where they lead, and who may frame them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hocket.core.errors import SettingsError
from hocket.diagnostics import panel


def test_a_panel_is_a_frame_around_a_plot_alone():
    cluster = SimpleNamespace(dashboard_link="http://127.0.0.1:8787/")
    shown = panel("task-stream", cluster, height_px=200)
    assert repr(shown) == "<Panel http://127.0.0.1:8787/plot/task-stream>"
    html = shown._repr_html_()
    assert 'src="http://127.0.0.1:8787/plot/task-stream" width="100%" height="200"' in html
    assert "Log in" not in html


def test_where_a_login_is_needed_there_is_a_link_for_it():
    html = panel("a/b", "http://h:1/user/ann/login?token=<x>")._repr_html_()
    assert 'href="http://h:1/user/ann/login?token=&lt;x&gt;"' in html
    assert 'src="http://h:1/user/ann/plot/a%2Fb"' in html


def test_clusters_without_pages_are_told_of():
    with pytest.raises(SettingsError, match=r"diagnostics\.enabled"):
        panel("task-stream", SimpleNamespace(dashboard_link=""))

    async def find():
        return "http://h:1/"

    with pytest.raises(SettingsError, match=r"await client\.dashboard_link"):
        panel("task-stream", SimpleNamespace(dashboard_link=find()))


def test_only_plots_alone_may_be_framed_and_only_from_this_host(site):
    policy = site.get("/plot/task-stream")[2]["Content-Security-Policy"]
    ancestors = policy.partition("frame-ancestors ")[2].split()
    assert ancestors == [
        "'self'",
        "http://127.0.0.1:*",
        "http://localhost:*",
    ]
    for path in ("/status", "/table/task-stream", "/login?token=x"):
        policy = site.get(path)[2]["Content-Security-Policy"]
        assert policy.endswith("frame-ancestors 'self'")
