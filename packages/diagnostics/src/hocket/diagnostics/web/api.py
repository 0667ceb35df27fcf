"""The JSON that programs read: ``api/v1/``, read-only, with a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from tornado.web import HTTPError

from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.model.rings import Rows
from hocket.diagnostics.model.tables import TABLES
from hocket.diagnostics.visuals import Row
from hocket.diagnostics.watching import BASIC, READS
from hocket.diagnostics.web.handlers import Handler

__all__ = ["IndexHandler", "RecordsHandler", "SchemaHandler", "TableRowsHandler", "make_schema"]

#: Rows of a table in one answer at most.
LIMIT_MAX: Final = 10_000

_JSON_TYPES: Final = {"float": "number", "integer": "integer", "text": "string"}

#: Records by name: what they are, and how to get them.
RECORDS: Final[dict[str, tuple[str, Callable[[ClusterModel], Iterable[Row]]]]] = {
    "workers": (
        "The workers that are there, and how they were last.",
        lambda model: (record.to_row() for record in model.alive),
    ),
    "groups": (
        "The functions: where their tasks stand, and seconds spent in each phase.",
        lambda model: (record.to_row() for record in model.groups.values()),
    ),
    "clients": (
        "The clients that are connected.",
        lambda model: (record.to_row() for record in model.clients.values()),
    ),
    "routes": (
        "What went from one worker to another while somebody watched.",
        lambda model: (record.to_row() for record in model.routes.values()),
    ),
}


class _JsonHandler(Handler):
    """Answers with JSON."""

    def answer(self, content: Any) -> None:
        """Answer with plain data."""
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(content))


class IndexHandler(_JsonHandler):
    """What there is."""

    async def get(self) -> None:
        """List all that can be asked for, as relative URLs."""
        await self.site.need()
        site = self.site
        self.answer(
            {
                "role": site.role,
                "name": site.name,
                "state": site.watch.state,
                "address": site.model.address,
                "schema": "schema",
                "records": {name: f"records/{name}" for name in RECORDS},
                "tables": {name: f"tables/{name}?after=0&limit=100" for name in TABLES},
                "visuals": {
                    visual.name: f"visuals/{visual.name}"
                    for page in site.pages
                    for visual in page.visuals
                },
                "pages": [
                    {"name": page.name, "title": page.title, "url": f"../../{page.name}"}
                    for page in site.pages
                ],
            }
        )


class SchemaHandler(_JsonHandler):
    """The JSON schema of what the tables' endpoint answers."""

    def get(self) -> None:
        """Answer with a schema for each table."""
        self.answer(make_schema())


class TableRowsHandler(_JsonHandler):
    """Rows of a ring from a cursor on."""

    async def get(self, name: str) -> None:
        """Answer with columns; ``next`` is what to give as ``after`` the next time."""
        if name not in TABLES:
            raise HTTPError(404, reason=f"There is no such table; there are {', '.join(TABLES)}")
        after = _number(self.get_argument("after", "0"), "after")
        limit = min(_number(self.get_argument("limit", "1000"), "limit"), LIMIT_MAX)
        kinds = BASIC
        for read, kind in READS.items():
            if read == name or (read == "tasks" and name in {"failures", "rates"}):
                kinds |= kind
        await self.site.watch.need(kinds)
        rows = self.site.model.rings[name].read(after, None if after else limit)
        shown = min(len(rows), limit)
        self.answer(
            {
                "table": name,
                "first": rows.begin,
                "next": rows.begin + shown,
                "lost": rows.lost,
                "columns": _columns(rows, shown),
            }
        )


class RecordsHandler(_JsonHandler):
    """Records of one kind."""

    async def get(self, name: str) -> None:
        """Answer with a row for each."""
        if name not in RECORDS:
            raise HTTPError(404, reason=f"There is no such kind; there are {', '.join(RECORDS)}")
        await self.site.need()
        self.answer({"records": name, "rows": list(RECORDS[name][1](self.site.model))})


def make_schema() -> dict[str, Any]:
    """Return JSON schemas of the tables and records, and what their columns are."""
    tables = {}
    for name, table in TABLES.items():
        columns = {
            column: {"type": "array", "items": {"type": _JSON_TYPES[kind]}}
            for column, kind in table.columns.items()
        }
        tables[name] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": name,
            "description": table.doc,
            "type": "object",
            "required": ["table", "first", "next", "lost", "columns"],
            "properties": {
                "table": {"const": name},
                "first": {"type": "integer", "description": "The number of the first row."},
                "next": {"type": "integer", "description": "To be given as `after` next time."},
                "lost": {"type": "integer", "description": "Rows that were no longer there."},
                "columns": {
                    "type": "object",
                    "required": list(columns),
                    "properties": columns,
                },
            },
        }
    records = {name: doc for name, (doc, _) in RECORDS.items()}
    return {"tables": tables, "records": records}


def _columns(rows: Rows, count: int) -> dict[str, list[Any]]:
    return {name: list(values[:count]) for name, values in rows.columns.items()}


def _number(text: str, name: str) -> int:
    if text.isdecimal() and text.isascii() and len(text) < 16:
        return int(text)
    raise HTTPError(400, reason=f"{name} must be a whole number, 0 or more")
