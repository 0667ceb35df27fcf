"""The handlers of a dashboard: pages, tables, health, login, static files. All are read-only."""

from __future__ import annotations

import functools
import hashlib
import html
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tornado.template import Loader
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from hocket.diagnostics.web.guard import COOKIE, PASS_LIFE_S
from hocket.diagnostics.web.site import Site

__all__ = [
    "Handler",
    "HealthHandler",
    "LoginHandler",
    "NotFoundHandler",
    "RefusalHandler",
    "RootHandler",
    "StaticHandler",
    "static_version",
]

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"

#: Nothing from elsewhere, no inline scripts, no frames on other people's pages. (Bokeh sets styles
#: of elements, which needs 'unsafe-inline' there.)
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'self'"
)

#: A plot alone may stand in a notebook, whose server runs on the reader's own host or is tunnelled
#: there. (A frame cannot be read from outside, and no click here changes anything.)
ALONE_POLICY: Final = CONTENT_POLICY.replace(
    "frame-ancestors 'self'",
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*",
)

THEME_COOKIE: Final = "hocket_theme"
#: Set by a scheduler's server when it passes on what was asked of a worker's.
RELAYED: Final = "X-Hocket-Relayed"


@functools.cache
def templates() -> Loader:
    """Return the loader of our templates; what they are given is escaped."""
    return Loader(str(_HERE / "templates"), autoescape="xhtml_escape")


@functools.cache
def static_version() -> str:
    """Return a word that changes with our static files, for URLs that may be kept for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Handler(RequestHandler):
    """What all handlers share: the site, its guard, and headers."""

    site: Site

    #: Whether who has not logged in may ask.
    open_to_all: bool = False

    def initialize(self, site: Site) -> None:
        """Take the site."""
        self.site = site

    def set_default_headers(self) -> None:
        """Set what every answer says."""
        self.set_header("Content-Security-Policy", CONTENT_POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self) -> None:
        """Refuse who may not look."""
        if not self.site.guard.is_ours(self.request.host):
            raise HTTPError(
                421, reason="This name is not ours; add it to the setting diagnostics.hosts"
            )
        if not (self.open_to_all or self.is_known()):
            raise HTTPError(401, reason="Log in with the link of client.dashboard_link")

    def is_known(self) -> bool:
        """Whether who asks has logged in, or needs not to."""
        return self.site.guard.is_known(
            self.get_cookie(COOKIE) or "", self.request.headers.get("Authorization", "")
        )

    @property
    def root(self) -> str:
        """The way from this URL up to the site, as a relative URL."""
        return "../" * (self.request.path.count("/") - 1)

    @property
    def theme_name(self) -> str:
        """``"light"``, ``"dark"``, or empty if the reader has not chosen."""
        chosen = self.get_cookie(THEME_COOKIE) or ""
        return chosen if chosen in {"light", "dark"} else ""

    def show(self, template: str, **values: Any) -> None:
        """Answer with a template."""
        site = self.site
        is_relayed = RELAYED in self.request.headers
        relatives = site.relatives
        scheduler = "" if relatives is None else relatives.scheduler_url
        if is_relayed:
            scheduler = f"{self.root}../../"
        values = {
            "root": self.root,
            "version": static_version(),
            "theme": self.theme_name,
            "role": site.role,
            "name": site.name,
            "pages": site.listed_pages,
            "current": "",
            "scheduler": scheduler if site.role == "worker" else "",
            "siblings": [] if relatives is None or not scheduler else relatives.siblings,
            "quote": functools.partial(quote, safe=""),
            "bokeh": "",
            "widgets": False,
            "token": "",
            **values,
        }
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(templates().load(template).generate(**values))

    def write_error(self, status_code: int, **_details: Any) -> None:
        """Say what is wrong, in a line; nothing of ours is shown."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        reason = html.escape(self._reason)
        self.finish(f"<!doctype html><title>{status_code}</title><p>{status_code}: {reason}</p>\n")


class HealthHandler(Handler):
    """Says that the process is alive; never builds a document."""

    open_to_all = True

    def get(self) -> None:
        """Answer at once."""
        self.finish({"status": "ok", "role": self.site.role, "name": self.site.name})


class LoginHandler(Handler):
    """Turns a login into a cookie."""

    open_to_all = True

    def get(self) -> None:
        """Take a login once."""
        granted = self.site.guard.log_in(self.get_argument("token", ""))
        if granted is None:
            raise HTTPError(
                403, reason="This link was used before or is too old; ask for a new one"
            )
        self.set_cookie(
            COOKIE,
            granted,
            max_age=int(PASS_LIFE_S),
            httponly=True,
            samesite="Strict",
            secure=self.request.protocol == "https",
            path="/",
        )
        # By a page, not by a redirect: a strict cookie is not sent along with one from elsewhere.
        self.show("login.html")


class RootHandler(Handler):
    """Leads to the first page."""

    def get(self) -> None:
        """Redirect, relative to where this is."""
        pages = self.site.pages
        if not pages:
            raise HTTPError(404)
        self.set_status(302)
        self.set_header("Location", pages[0].name)
        self.finish()


class NotFoundHandler(Handler):
    """Says that there is nothing here."""

    def get(self) -> None:
        """Refuse."""
        raise HTTPError(404)


class RefusalHandler(RequestHandler):
    """Refuses a websocket that may not be opened."""

    def get(self) -> None:
        """Refuse."""
        self.set_status(403)
        self.finish()


class StaticHandler(StaticFileHandler):
    """Serves files whose URLs change with them, so that they are kept for ever."""

    def initialize(self, site: Site, path: str) -> None:  # type: ignore[override]
        """Take the site and the folder."""
        self.site = site
        super().initialize(path=path)

    def prepare(self) -> None:
        """Refuse names that are not ours; the files themselves are no secret."""
        if not self.site.guard.is_ours(self.request.host):
            raise HTTPError(421)

    async def get(self, path: str, include_body: bool = True) -> None:  # noqa: FBT001, FBT002
        """Serve a file; the first part of the path is the version."""
        await super().get(path.partition("/")[2], include_body)

    def set_extra_headers(self, path: str) -> None:
        """Let it be kept."""
        del path
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
