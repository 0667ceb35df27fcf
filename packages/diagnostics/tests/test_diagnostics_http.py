"""The server: what it serves, and to whom it refuses it."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from html.parser import HTMLParser

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_site import SECRET, close_socket
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from hocket.diagnostics import plots
from hocket.diagnostics.visuals import BOOK
from hocket.diagnostics.web.metrics import METRICS
from hocket.protocol.login import bearer_word, mint_login

assert plots  # They are made when this is imported.

PAGES = [page.name for page in BOOK.pages("scheduler")]
WORKER_PAGES = [page.name for page in BOOK.pages("worker")]
VISUALS = [visual.name for page in BOOK.pages("scheduler") for visual in page.visuals]
FOREIGN = {"Host": "evil.example:80"}


def open_socket(site, path, origin, token):
    """Open a websocket as a browser does; return what it says first."""

    async def run():
        request = HTTPRequest(f"ws://{site.host}{path}", headers={"Origin": origin})
        socket = await websocket_connect(request, subprotocols=["bokeh", token])
        async with asyncio.timeout(10):
            first = await socket.read_message()
        if first is None:
            socket.close()  # (The other side has.)
        else:
            await close_socket(socket)
        return first

    return site.loop.run(run())


def ask_for_socket(site, path, origin, **headers):
    """Ask for a websocket; return the status of the answer."""
    asked = {"Upgrade": "websocket", **({"Origin": origin} if origin else {}), **headers}
    return site.get(path, asked)[0]


def token_of(page):
    return re.search(r'data-token="([^"]+)"', page)[1]


class Links(HTMLParser):
    """Collects what a page would fetch, and its scripts."""

    def __init__(self, page):
        super().__init__()
        self.urls = []
        self.tags = []
        self.inline = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = dict(attrs)
        self.urls += [names[name] for name in ("href", "src", "data-url") if names.get(name)]
        if tag == "script" and "src" not in names:
            self.inline = True
        assert not any(name.startswith("on") for name in names), attrs


def test_health_builds_nothing(start_site):
    site = start_site()
    status, text, _ = site.get("/health")
    assert status == 200
    assert json.loads(text) == {"status": "ok", "role": "scheduler", "name": ""}
    assert site.server._mount.application is None


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_served(site, name):
    status, text, headers = site.get(f"/{name}")
    assert status == 200
    links = Links(text)
    assert not links.inline
    assert "'unsafe-eval'" not in headers["Content-Security-Policy"]
    for url in links.urls:
        assert not re.match(r"[a-z]+:|/", url), f"{url} is not relative"
    assert len(text) < 20_000


@pytest.mark.parametrize("name", WORKER_PAGES)
def test_every_page_of_a_worker_is_served(worker_site, name):
    status, text, _ = worker_site.get(f"/{name}")
    assert status == 200
    assert "worker-0" in text


@pytest.mark.parametrize("name", VISUALS)
def test_every_visual_has_a_twin_in_html_and_json(site, name):
    status, text, _ = site.get(f"/api/v1/visuals/{name}?q=")
    assert status == 200
    content = json.loads(text)
    assert content["name"] == name
    for one in content["tables"]:
        width = len(one["columns"])
        assert all(len(row) == width for row in [*one["rows"], *one["texts"]])
    status, text, _ = site.get(f"/table/{name}")
    assert status == 200
    assert "<table>" in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert "script>alert" not in text.replace("&lt;script&gt;alert", "")
    status, _, _ = site.get(f"/plot/{name}")
    assert status == 200


def test_names_that_are_markup_stay_text(site):
    _, text, _ = site.get("/table/failures")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    _, text, headers = site.get("/api/v1/visuals/failures")
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/<script>alert(1)</script>", "/plot/%3Cscript%3E", "/api/v1/tables/x<y>"):
        status, text, _ = site.get(path.replace("<", "%3C").replace(">", "%3E"))
        assert status == 404
        assert "<script" not in text


def test_the_first_page_is_found_from_the_root(site):
    status, _, headers = site.get("/")
    assert (status, headers["Location"]) == (302, "status")


def test_tables_are_read_from_a_cursor_on(site):
    _, text, _ = site.get("/api/v1/tables/tasks?limit=5")
    first = json.loads(text)
    _, text, _ = site.get(f"/api/v1/tables/tasks?after={first['next'] - 2}&limit=5")
    second = json.loads(text)
    assert second["first"] == first["next"] - 2
    assert second["columns"]["key"][:2] == first["columns"]["key"][-2:]
    assert site.get("/api/v1/tables/tasks?after=-1")[0] == 400
    assert site.get("/api/v1/tables/nothing")[0] == 404


def test_the_schema_fits_what_is_answered(site):
    schema = json.loads(site.get("/api/v1/schema")[1])
    python = {"number": (int, float), "integer": int, "string": str}
    for name, table in schema["tables"].items():
        answer = json.loads(site.get(f"/api/v1/tables/{name}?limit=20")[1])
        assert set(table["required"]) == set(answer)
        columns = table["properties"]["columns"]["properties"]
        assert set(columns) == set(answer["columns"])
        for column, described in columns.items():
            kind = python[described["items"]["type"]]
            assert all(isinstance(value, kind) for value in answer["columns"][column])
    for name in schema["records"]:
        assert "rows" in json.loads(site.get(f"/api/v1/records/{name}")[1])
    index = json.loads(site.get("/api/v1/")[1])
    assert set(index["tables"]) == set(schema["tables"])


def test_metrics_have_their_documented_names(site):
    _, text, headers = site.get("/metrics")
    assert headers["Content-Type"].startswith("text/plain")
    families = list(text_string_to_metric_families(text))
    names = {sample.name for family in families for sample in family.samples}
    assert names <= set(METRICS)
    assert len(names) > 15
    labels = {sample.labels["worker"] for family in families for sample in family.samples
              if "worker" in sample.labels}  # fmt: skip
    assert labels == {"worker-0", "worker-1", "worker-2"}


def test_files_are_kept_by_their_versions(site):
    _, text, _ = site.get("/status")
    for url in re.findall(r'(?:src|href)="((?:static|bokeh)/[^"]+)"', text):
        status, _, headers = site.get(f"/{url}")
        assert status == 200, url
        assert "immutable" in headers["Cache-Control"]
    assert site.get("/static/v/../handlers.py")[0] in {403, 404}
    assert site.get("/static/v/%2e%2e/handlers.py")[0] in {403, 404}


def test_a_page_needs_less_than_500_kb(site):
    nbytes = 0
    _, text, _ = site.get("/status")
    for url in re.findall(r'(?:src|href)="((?:static|bokeh)/[^"]+)"', text):
        request = urllib.request.Request(f"{site.url}/{url}", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request) as answer:
            nbytes += len(answer.read())
    assert nbytes + len(text) < 500_000


@pytest.mark.parametrize("path", ["/status", "/health", "/api/v1/", "/metrics", "/table/tasks"])
def test_another_name_for_this_host_is_refused(site, path):
    status, text, _ = site.get(path, FOREIGN)
    assert status == 421
    assert "worker" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading(site, method):
    assert site.get("/status", method=method)[0] in {403, 405}
    assert site.get("/api/v1/records/workers", method=method)[0] in {403, 405}


def test_our_own_page_opens_its_socket(site):
    page = site.get("/status")[1]
    first = open_socket(site, "/status/ws", site.url, token_of(page))
    assert json.loads(first)["msgtype"] == "ACK"


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "https://127.0.0.1.evil.example", "null", "", "http://127.0.0.1"],
)
def test_pages_from_elsewhere_open_no_socket(site, origin):
    site.get("/status")
    assert ask_for_socket(site, "/status/ws", origin) == 403


def test_a_name_that_was_made_to_point_here_opens_no_socket(site):
    site.get("/status")
    assert ask_for_socket(site, "/status/ws", "http://evil.example", Host="evil.example") == 403


def test_a_made_up_token_gets_nothing(site):
    site.get("/status")
    for token in ("x", "eyJzZXNzaW9uX2lkIjogImEifQ", ""):
        assert open_socket(site, "/status/ws", site.url, token or "y") is None


def test_the_token_carries_nothing_of_the_request(site):
    page = site.get("/status", {"Cookie": "other=very-private", "X-Private": "very-private"})[1]
    assert "very-private" not in page


def test_where_a_login_is_needed_one_link_opens_once(start_site):
    site = start_site(login="always")
    assert site.get("/health")[0] == 200
    for path in ("/", "/status", "/api/v1/", "/metrics", "/table/tasks", "/worker/worker-0/"):
        assert site.get(path)[0] == 401, path
    assert ask_for_socket(site, "/status/ws", site.url) == 403
    login = mint_login(SECRET, "a-nonce", 4e9)
    status, _, headers = site.get(f"/login?token={login}")
    assert status == 200
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].split(";")[0]
    assert site.get("/status", {"Cookie": cookie})[0] == 200
    assert site.get(f"/login?token={login}")[0] == 403
    assert site.get("/login")[0] == 403
    assert site.get("/metrics", {"Authorization": f"Bearer {bearer_word(SECRET)}"})[0] == 200


def test_a_path_before_all_others(start_site):
    site = start_site(prefix="/user/ann/")
    page = site.get("/user/ann/status")
    assert page[0] == 200
    assert site.get("/status")[0] == 200  # A proxy that takes it away.
    token = token_of(page[1])
    first = open_socket(site, "/user/ann/status/ws", site.url, token)
    assert json.loads(first)["msgtype"] == "ACK"


def test_workers_are_relayed_by_name_only(site, worker_site):
    model = site.watch.model
    came = model.workers["worker-1"].came
    came.dashboard = worker_site.url + "/"
    try:
        status, text, _ = site.get("/worker/worker-1/main")
        assert status == 200
        assert "../../status" in text
        assert json.loads(site.get("/worker/worker-1/health")[1])["role"] == "worker"
        first = open_socket(site, "/worker/worker-1/main/ws", site.url, token_of(text))
        assert json.loads(first)["msgtype"] == "ACK"
        path = "/worker/worker-1/main/ws"
        assert ask_for_socket(site, path, "http://evil.example") == 403
        for name in ("worker-0", "nobody", "127.0.0.1:80", "http%3A%2F%2Fevil.example"):
            assert site.get(f"/worker/{name}/main")[0] == 404
    finally:
        came.dashboard = ""


def test_more_tabs_than_allowed_are_told_so(start_site):
    site = start_site()
    site.server.site.tabs_max = 0
    status, text, _ = site.get("/status")
    assert status == 503
    assert "close some" in text
    assert site.get("/workers")[0] == 200  # (A table needs no tab.)
