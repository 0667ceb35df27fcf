"""What pages are made of: a visual is one decorated function, and a page is the visuals on it.

Nothing here imports Bokeh: decorating a function costs nothing until somebody looks at its page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from hocket.core.errors import SettingsError
from hocket.diagnostics.model import ClusterModel
from hocket.protocol.feed import Question

if TYPE_CHECKING:
    from hocket.diagnostics.view import View

__all__ = ["BOOK", "Book", "Page", "Row", "Visual", "page", "plot", "table"]

RoleName = Literal["scheduler", "worker"]
#: The part of a page's width that a visual takes (on a phone: always all of it).
Size = Literal["full", "half", "third"]
#: A row of a table, by column.
Row: TypeAlias = Mapping[str, Any]

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,60}")
#: What stands in URLs beside the pages.
_TAKEN: Final = frozenset(
    {"api", "health", "login", "metrics", "plot", "static", "table", "worker", "ws"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Visual:
    """A plot or a table.

    Attributes
    ----------
    name
        In URLs.
    title, text
        For people: what it is, and how to read it.
    draw
        Of a plot: makes a figure of a `hocket.diagnostics.view.View`. Of a table: makes rows of a
        `hocket.diagnostics.model.ClusterModel` and the words that are searched for.
    columns
        Titles by column, of a table; empty for a plot.
    size, height_px
        How much room it has.
    reads
        Which events it needs besides those of groups, workers, scheduler, logs and topics: of
        ``tasks``, ``transfers``, ``recalls``, ``moves``, ``profile``.
    place
        The lower, the earlier on its page.
    asks
        Makes a question to the scheduler of what is searched for; the answer is found in
        ``model.answers`` under the name.
    widgets
        Whether it has any, which makes the page larger.
    """

    name: str
    title: str
    text: str
    draw: Callable[..., Any]
    columns: Mapping[str, str] = field(default_factory=dict)
    size: Size = "half"
    height_px: int = 260
    reads: tuple[str, ...] = ("tasks", "transfers")
    place: int = 100
    asks: Callable[[str], Question] | None = None
    widgets: bool = False

    @property
    def is_table(self) -> bool:
        """Whether it is a table, drawn without Bokeh."""
        return bool(self.columns)


@dataclass(slots=True)
class Page:
    """A page of the scheduler's or the workers' dashboard: its visuals, in order."""

    name: str
    title: str
    role: RoleName
    text: str = ""
    #: Pages are listed in this order, and then in that in which they were made.
    order: int = 100
    visuals: list[Visual] = field(default_factory=list)
    #: Whether it is listed, as things are; None: always.
    when: Callable[[ClusterModel], bool] | None = None


class Book:
    """All pages, by role and name."""

    def __init__(self) -> None:
        self._pages: dict[tuple[RoleName, str], Page] = {}

    def pages(self, role: RoleName) -> list[Page]:
        """Return the pages of a role, in order."""
        found = [page for page in self._pages.values() if page.role == role and page.visuals]
        return sorted(found, key=lambda page: page.order)

    def page(self, role: RoleName, name: str) -> Page | None:
        """Return a page, or None."""
        return self._pages.get((role, name))

    def visual(self, role: RoleName, name: str) -> Visual | None:
        """Return a visual, on whichever page it is, or None."""
        for page in self.pages(role):
            for visual in page.visuals:
                if visual.name == name:
                    return visual
        return None

    def put(self, page: Page) -> Page:
        """Add a page; if it is there, all but its visuals is as the new one has it."""
        _check_name(page.name)
        known = self._pages.setdefault((page.role, page.name), page)
        known.title, known.text, known.order = page.title, page.text, page.order
        known.when = page.when
        return known

    def add(self, role: RoleName, on: str, visual: Visual) -> None:
        """Put a visual on a page, which is made if it is not there; one of its name is replaced."""
        _check_name(visual.name)
        known = self._pages.get((role, on))
        if known is None:
            known = self.put(Page(on, visual.title, role, visual.text))
        known.visuals[:] = [each for each in known.visuals if each.name != visual.name]
        known.visuals.append(visual)
        known.visuals.sort(key=lambda each: each.place)


#: The pages of this process.
BOOK: Final = Book()


def page(
    name: str,
    title: str,
    *,
    role: RoleName = "scheduler",
    text: str = "",
    order: int = 100,
    when: Callable[[ClusterModel], bool] | None = None,
) -> None:
    """Give a page a title, words of its own, and a place in the list of pages.

    Parameters
    ----------
    name
        In its URL: small letters, digits and hyphens.
    title, text
        For people.
    role
        Whether it is one of the scheduler's pages or of each worker's.
    order
        The lower, the earlier in the list; ours are below 100.
    when
        Whether it is listed, as things are; by default it always is.
    """
    BOOK.put(Page(name, title, role, text, order, when=when))


def plot(  # noqa: PLR0913 (each can be left out)
    title: str,
    *,
    on: str | None = None,
    role: RoleName = "scheduler",
    text: str = "",
    size: Size = "half",
    height_px: int = 260,
    reads: tuple[str, ...] = ("tasks", "transfers"),
    place: int = 100,
    asks: Callable[[str], Question] | None = None,
    widgets: bool = False,
) -> Callable[[Callable[[View], Any]], Callable[[View], Any]]:
    """Make a plot of a function that draws a Bokeh figure.

    Parameters
    ----------
    title
        Above the plot.
    on
        The page that it is on; by default one of its own, named after the function.
    role
        Whether it is on the scheduler's pages or on each worker's.
    text
        How to read it; by default the first paragraph of the function's docstring.
    size, height_px
        The part of the page's width, and its height in pixels.
    reads
        Which events it needs besides those of groups, workers, scheduler, logs and topics: of
        ``tasks``, ``transfers``, ``recalls``, ``profile``, and ``moves`` (of these there are
        many).
    place
        The lower, the earlier on its page.
    asks
        Makes a question to the scheduler (`hocket.protocol.feed.Question`) of what the reader
        searches for; the answer is found in ``view.model.answers`` under the plot's name.
    widgets
        Whether it has widgets of Bokeh's, such as drop-downs.

    Examples
    --------
    >>> from hocket.diagnostics import plot
    >>> @plot("Workers", size="full")
    ... def worker_count(view):
    ...     figure = view.figure(x_axis_type="datetime", y_axis_label="workers")
    ...     figure.step("time_ms", "workers", source=view.stream("scheduler_samples"))
    ...     return figure
    """

    def decorate(function: Callable[[View], Any]) -> Callable[[View], Any]:
        name = _name_of(function)
        visual = Visual(
            name,
            title,
            text or _first_paragraph(function),
            function,
            size=size,
            height_px=height_px,
            reads=reads,
            place=place,
            asks=asks,
            widgets=widgets,
        )
        BOOK.add(role, on or name, visual)
        return function

    return decorate


TableFunction: TypeAlias = Callable[[ClusterModel, str], Iterable[Row]]


def table(  # noqa: PLR0913 (each can be left out)
    title: str,
    columns: Mapping[str, str],
    *,
    on: str | None = None,
    role: RoleName = "scheduler",
    text: str = "",
    size: Size = "full",
    reads: tuple[str, ...] = ("tasks", "transfers"),
    place: int = 100,
    asks: Callable[[str], Question] | None = None,
) -> Callable[[TableFunction], TableFunction]:
    """Make a table of a function that returns rows.

    The function is called with the model and what the reader searches for (text, perhaps empty; the
    rows are searched for it afterwards in any case), and returns mappings.

    Parameters
    ----------
    title, on, role, text, size, reads, place, asks
        As for `plot`.
    columns
        Titles by column. A column's name says its unit: ``..._nbytes``, ``..._s``,
        ``..._nbytes_per_s``, ``time_s`` and ``since_s`` (times); ``worker`` and ``key`` are links.
    """

    def decorate(function: TableFunction) -> TableFunction:
        name = _name_of(function)
        visual = Visual(
            name,
            title,
            text or _first_paragraph(function),
            function,
            dict(columns),
            size,
            reads=reads,
            place=place,
            asks=asks,
        )
        BOOK.add(role, on or name, visual)
        return function

    return decorate


def _name_of(function: Callable[..., Any]) -> str:
    return function.__name__.strip("_").replace("_", "-").lower()


def _first_paragraph(function: Callable[..., Any]) -> str:
    text = (function.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split())


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) and name not in _TAKEN:
        return
    raise SettingsError(
        name="page",
        value=name,
        allowed="the name of a page is of small letters, digits and hyphens, begins with a letter,"
        f" and is none of {', '.join(sorted(_TAKEN))}; it follows from the function's name",
        source="code",
    )
