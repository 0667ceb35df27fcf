"""Pages under TLS: who makes the certificate, who knows it again, and what links say."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from urllib.error import URLError

import pytest
from running_site import SECRET, RunningServer

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.diagnostics.embedding import link_of_socket, listen
from hocket.diagnostics.web.page_tls import _relay_context, page_context, relay_context
from hocket.diagnostics.web.reach import uses_tls
from hocket.protocol.credentials import parse_secret
from hocket.protocol.login import bearer_word
from hocket.protocol.roles import Role
from hocket.transport.tls import pin_of

ON = {"diagnostics.tls": "on"}


@pytest.fixture
def serve():
    servers = []

    def start(overrides, role="scheduler"):
        servers.append(RunningServer(overrides, role))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("asked", "host", "expected"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "0.0.0.0", True),
        ("auto", "::1", False),
        ("on", "127.0.0.1", True),
        ("off", "0.0.0.0", False),
    ],
)
def test_it_is_the_rule_where_others_can_connect(asked, host, expected):
    settings = Settings.build(overrides={"diagnostics.tls": asked, "diagnostics.host": host})
    assert uses_tls(settings, host) is expected
    with listen("127.0.0.1", 0) as listening:
        link = link_of_socket(settings, listening, "tcp://127.0.0.1:1")
    assert link.startswith("https://" if expected else "http://")


def test_pages_are_had_by_whoever_knows_the_cluster(serve):
    server = serve({**ON, "diagnostics.login": "always"})
    context = relay_context(Settings(), SECRET)
    bearer = {"Authorization": f"Bearer {bearer_word(SECRET)}"}
    status, text, _ = server.get("/health", bearer, context=context)
    assert (status, bool(text)) == (200, True)
    # A worker's key makes the same authority as the secret does.
    worker = parse_secret(SECRET).to_text(Role.WORKER)
    assert server.get("/health", bearer, context=relay_context(Settings(), worker))[0] == 200
    # Strangers and other clusters do not take it for theirs.
    for other in (ssl.create_default_context(), relay_context(Settings(), "another")):
        other.check_hostname = False
        with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
            server.get("/health", context=other)
    # Who knows the name as well is fine, too.
    context.check_hostname = True
    assert server.get("/health", bearer, context=context)[0] == 200
    context.check_hostname = False


def test_workers_pages_are_passed_on_if_they_are_the_clusters(serve):
    scheduler, worker = serve(ON), serve(ON, "worker")
    came = scheduler.watch.model.workers["worker-1"].came
    came.dashboard = worker.url + "/"
    context = relay_context(Settings(), SECRET)
    status, text, _ = scheduler.get("/worker/worker-1/health", context=context)
    assert (status, '"worker"' in text) == (200, True)
    worker.server.site.secret = scheduler.server.site.secret = "another"
    assert scheduler.get("/worker/worker-1/health", context=context)[0] == 502


def test_the_cookie_of_a_login_goes_over_tls_only(serve):
    from hocket.protocol.login import mint_login  # noqa: PLC0415
    from hocket.transport import now  # noqa: PLC0415

    server = serve({**ON, "diagnostics.login": "always"})
    login = mint_login(SECRET, "nonce", now() + 60)
    context = relay_context(Settings(), SECRET)
    _, _, headers = server.get(f"/login?token={login}", context=context)
    assert "Secure" in headers["Set-Cookie"]


def test_what_speaks_no_tls_gets_nothing(serve):
    server = serve(ON)

    async def knock():
        reader, writer = await asyncio.open_connection(*server.host.split(":"))
        writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer

    with contextlib.suppress(ConnectionError):
        assert b"HTTP" not in asyncio.run(knock())


def test_a_certificate_of_ones_own_is_shown(serve, tmp_path):
    from hocket.diagnostics.web.page_tls import _made_pem  # noqa: PLC0415

    file = tmp_path / "mine.pem"
    file.write_bytes(_made_pem("the site's own authority", {"localhost", "127.0.0.1"}))
    own = {**ON, "diagnostics.certificate_file": str(file)}
    server = serve(own)
    # Servers of one cluster know each other by it as well.
    settings = Settings.build(overrides=own)
    assert server.get("/health", context=relay_context(settings, SECRET))[0] == 200
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        server.get("/health", context=relay_context(Settings(), SECRET))


def test_whom_the_host_trusts_is_none_of_the_cluster(serve, tmp_path, monkeypatch):
    from hocket.diagnostics.web.page_tls import _made_pem  # noqa: PLC0415

    file = tmp_path / "public.pem"
    file.write_bytes(_made_pem("an authority that all trust", {"localhost", "127.0.0.1"}))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = serve({**ON, "diagnostics.certificate_file": str(file)})
    assert server.get("/health", context=ssl.create_default_context())[0] == 200
    _relay_context.cache_clear()
    # It would be told the cluster's word.
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        server.get("/health", context=relay_context(Settings(), SECRET))


def test_files_that_are_none_are_named(tmp_path):
    for name, content in (("missing.pem", None), ("empty.pem", "")):
        file = tmp_path / name
        if content is not None:
            file.write_text(content)
        settings = Settings.build(overrides={"diagnostics.certificate_file": str(file)})
        with pytest.raises(SettingsError, match=name):
            page_context(settings, SECRET, "127.0.0.1")


def test_an_observers_server_signs_for_itself():
    key = parse_secret(SECRET).to_text(Role.OBSERVER, pin_of(SECRET))
    assert isinstance(page_context(Settings(), key, "127.0.0.1"), ssl.SSLContext)
