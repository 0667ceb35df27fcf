"""One site: what all handlers of a server share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hocket.core.errors import HocketError
from hocket.core.settings import Settings
from hocket.diagnostics.model import ClusterModel
from hocket.diagnostics.relatives import Relatives
from hocket.diagnostics.visuals import BOOK, Book, Page, RoleName, Visual
from hocket.diagnostics.watching import BASIC, READS, Watch
from hocket.diagnostics.web.guard import Guard
from hocket.protocol.messages.feed import EventKinds

__all__ = ["Site"]


@dataclass(slots=True)
class Site:
    """What a server shows, and to whom.

    Attributes
    ----------
    role, name
        Whose pages these are.
    watch
        Keeps the model up to date.
    guard
        Who may look.
    settings
        ``diagnostics`` and ``transport`` are used.
    secret
        The cluster's, to be let in by the workers' servers.
    relatives
        The rest of the cluster, for workers.
    load_pages
        Imports the pages, once.
    """

    role: RoleName
    name: str
    watch: Watch
    guard: Guard
    settings: Settings
    secret: str = ""
    relatives: Relatives | None = None
    book: Book = field(default_factory=lambda: BOOK)
    load_pages: Callable[[], None] = lambda: None
    #: Answers that several tabs ask for, and until when they hold.
    answers: dict[tuple[str, ...], tuple[float, bytes]] = field(default_factory=dict)
    #: How many tabs are open, and may be.
    tabs_max: int = 50

    @property
    def model(self) -> ClusterModel:
        """What there is to see."""
        return self.watch.model

    @property
    def pages(self) -> list[Page]:
        """The pages, in order."""
        self.load_pages()
        return self.book.pages(self.role)

    @property
    def listed_pages(self) -> list[Page]:
        """Those that have something to show, as things are."""
        return [page for page in self.pages if page.when is None or page.when(self.model)]

    def page(self, name: str) -> Page | None:
        """Return a page that has something on it, or None."""
        self.load_pages()
        page = self.book.page(self.role, name)
        return page if page is not None and page.visuals else None

    def visual(self, name: str) -> Visual | None:
        """Return a visual, or None."""
        self.load_pages()
        return self.book.visual(self.role, name)

    def dashboards(self) -> Mapping[str, str]:
        """Return where the workers' pages are, by name."""
        return {
            record.name: record.came.dashboard
            for record in self.model.alive
            if record.came.dashboard
        }

    async def ask(self, visual: Visual, words: str = "") -> None:
        """Have the model hold the answer to what a visual asks, if it asks something."""
        if visual.asks is None:
            return
        try:
            answer = await self.watch.ask(visual.asks(words))
        except (HocketError, TimeoutError):
            # Nobody is there to answer; the state says why.
            self.model.answers.pop(visual.name, None)
        else:
            self.model.answers[visual.name] = answer
            self.model.version += 1

    async def need(self, *visuals: Visual) -> None:
        """Make sure that the model hears of what these read."""
        kinds: EventKinds = BASIC
        for visual in visuals:
            for name in visual.reads:
                kinds |= READS.get(name, EventKinds.NONE)
        await self.watch.need(kinds)
