"""A report of what a block of code had the cluster do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hocket.core.errors import SettingsError
from hocket.protocol.messages.feed import EventKinds

if TYPE_CHECKING:
    from hocket.client.client import Client

__all__ = ["performance_report"]

#: What writes reports names itself in this group: hocket-diagnostics does.
_GROUP: Final = "hocket.reports"


@contextmanager
def performance_report(
    filename: str | Path = "report.html", client: Client | None = None
) -> Iterator[None]:
    """Write a report of what the cluster does while the block runs.

    The report is one HTML file with plots and tables, and needs no network and no cluster to be
    read.

    Parameters
    ----------
    filename
        Where to write it.
    client
        Of the cluster; by default the one made last.

    Raises
    ------
    SettingsError
        hocket-diagnostics is not installed.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> from hocket.client import Client, performance_report
    >>> with Client() as client, performance_report("report.html"):  # doctest: +SKIP
    ...     client.gather(client.map(str.upper, ["a", "b"]))
    """
    # Imported here: the client's module has this one's function in its list of words.
    from hocket.client.client import current_client  # noqa: PLC0415

    write = _writer()
    asked = current_client() if client is None else client
    with tempfile.TemporaryDirectory(prefix="hocket-report-") as folder:
        recording = Path(folder, "feed")
        with asked.record_feed(recording, EventKinds.USUAL | EventKinds.PROFILE):
            yield
        write(recording, filename, {"cluster": asked.address, "client": asked.name})


def _writer() -> Any:
    for entry in entry_points(group=_GROUP):
        return entry.load()
    raise SettingsError(
        name="performance_report",
        value=_GROUP,
        allowed="no package is installed that writes reports: pip install hocket-diagnostics",
        source="code",
    )
