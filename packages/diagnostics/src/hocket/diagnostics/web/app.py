"""The application of a dashboard: routes, and the door that every request comes through."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import Any, ClassVar

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, HTTPError, RequestHandler

from hocket.diagnostics.web import api, handlers, page_handlers, relay
from hocket.diagnostics.web.guard import COOKIE
from hocket.diagnostics.web.metrics import MetricsHandler
from hocket.diagnostics.web.mount import Mount
from hocket.diagnostics.web.site import Site

__all__ = ["Front", "make_front"]


def make_front(site: Site, mount: Mount) -> Front:
    """Return what serves the requests of a site."""
    shared: dict[str, Any] = {"site": site}
    mounted: dict[str, Any] = {"site": site, "mount": mount}
    routes: list[Any] = [
        (r"/health", handlers.HealthHandler, shared),
        (r"/metrics", MetricsHandler, shared),
        (r"/login", handlers.LoginHandler, shared),
        (r"/api/v1/?", api.IndexHandler, shared),
        (r"/api/v1/schema", api.SchemaHandler, shared),
        (r"/api/v1/tables/([a-z_]+)", api.TableRowsHandler, shared),
        (r"/api/v1/records/([a-z]+)", api.RecordsHandler, shared),
        (r"/api/v1/visuals/([a-z0-9-]+)", page_handlers.VisualHandler, mounted),
        (r"/static/(.*)", handlers.StaticHandler, {"site": site, "path": str(handlers.STATIC)}),
        (r"/bokeh/[\w.+-]+/js/(bokeh|bokeh-widgets)\.min\.js", BokehFileHandler, shared),
        (r"/table/([a-z0-9-]+)", page_handlers.TableHandler, mounted),
        (r"/plot/([a-z0-9-]+)", page_handlers.PlotHandler, mounted),
        (r"/?", handlers.RootHandler, shared),
        (r"/([a-z][a-z0-9-]*)", page_handlers.PageHandler, mounted),
    ]
    if site.role == "scheduler":
        routes[:0] = [
            (r"/worker/([^/]+)/(.*ws)", relay.RelaySocket, shared),
            (r"/worker/([^/]+)/(.*)", relay.RelayHandler, shared),
        ]
    application = Application(
        routes,
        default_handler_class=handlers.NotFoundHandler,
        default_handler_args=shared,
        compress_response=True,
        log_function=_log_nothing,
        websocket_max_message_size=1 << 20,
    )
    return Front(site, mount, application)


class Front(Router):
    """Sends requests where they belong: websockets to Bokeh, once they are found to be ours."""

    def __init__(self, site: Site, mount: Mount, application: Application) -> None:
        self._site = site
        self._mount = mount
        self._application = application
        self._prefix = site.settings.diagnostics.prefix.strip().strip("/")

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Return what handles a request."""
        if self._prefix and request.path.startswith(f"/{self._prefix}/"):
            request.path = request.path.removeprefix(f"/{self._prefix}")
            if request.uri is not None:
                request.uri = request.uri.removeprefix(f"/{self._prefix}")
        if request.method not in {"GET", "HEAD"}:
            return self._refuse(request)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return self._application.find_handler(request, **kwargs)
        if not self._may_open(request):
            return self._refuse(request)
        if self._site.role == "scheduler" and request.path.startswith("/worker/"):
            return self._application.find_handler(request, **kwargs)
        bokeh = self._mount.application
        found: HTTPMessageDelegate | None = None
        if bokeh is not None and request.path.endswith("/ws"):
            found = bokeh.find_handler(request, **kwargs)
        return self._refuse(request) if found is None else found

    def _may_open(self, request: HTTPServerRequest) -> bool:
        """Whether a websocket may be opened: by our own pages, and by who may look."""
        guard = self._site.guard
        cookie = request.cookies.get(COOKIE)
        return (
            guard.is_ours(request.host)
            and guard.is_same_origin(request.headers.get("Origin", ""), request.host)
            and guard.is_known(
                "" if cookie is None else cookie.value, request.headers.get("Authorization", "")
            )
        )

    def _refuse(self, request: HTTPServerRequest) -> HTTPMessageDelegate:
        return self._application.get_handler_delegate(request, handlers.RefusalHandler)


class BokehFileHandler(handlers.Handler):
    """Serves the files of Bokeh's that pages need, compressed once."""

    open_to_all = True
    _packed: ClassVar[dict[str, bytes]] = {}

    def compute_etag(self) -> str | None:
        """Return none: the URL has the version in it."""
        return None

    async def get(self, name: str) -> None:
        """Serve it, to be kept for ever."""
        packed = self._packed.get(name)
        if packed is None:
            packed = gzip.compress(_bokeh_file(name).read_bytes(), 6, mtime=0)
            self._packed[name] = packed
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(packed)
        else:
            self.finish(gzip.decompress(packed))


def _bokeh_file(name: str) -> Path:
    found = importlib.util.find_spec("bokeh")
    if found is None or not found.submodule_search_locations:
        raise HTTPError(503, reason="Bokeh is not installed; pip install hocket-diagnostics")
    return Path(found.submodule_search_locations[0], "server", "static", "js", f"{name}.min.js")


def _log_nothing(handler: RequestHandler) -> None:
    """Pass over requests: a dashboard is asked every second."""
    del handler
