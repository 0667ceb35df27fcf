"""How much memory a cluster takes over time, sampled while blocks of code run."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, Literal

from hocket.client.client import Client, current_client
from hocket.client.followed_block import FollowedBlock
from hocket.client.following import Following
from hocket.core.errors import SettingsError
from hocket.protocol.messages.feed import EventKinds, WorkerGone, WorkerSampled

__all__ = ["MEASURES", "MemorySampler"]

#: What can be measured, and the field of `WorkerSampled` that has it.
MEASURES: Final = {
    "process": "memory_nbytes",
    "managed": "managed_nbytes",
    "spilled": "spilled_nbytes",
}


class MemorySampler:
    """Samples of the memory of all workers together, by the name of what ran meanwhile.

    Attributes
    ----------
    samples
        By name: pairs of the time, in seconds since the epoch, and bytes.

    Examples
    --------
    >>> sampler = MemorySampler()  # doctest: +SKIP
    >>> with sampler.sample("sums"):  # doctest: +SKIP
    ...     client.gather(client.map(sum, lists))
    >>> sampler.to_pandas(align=True).plot()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, int]]] = {}

    def sample(
        self,
        label: str | None = None,
        *,
        client: Client | None = None,
        measure: Literal["process", "managed", "spilled"] = "process",
    ) -> _Sampling:
        """Return what samples while its ``with`` block runs, twice a second.

        Parameters
        ----------
        label
            The name of the samples; None: a number.
        client
            Of the cluster; None: the one made last.
        measure
            Memory of the processes; of the results that they hold; or of results on their disks.

        Raises
        ------
        SettingsError
            There is no such measure.
        PeerLost
            No client is open.
        """
        if measure not in MEASURES:
            allowed = ", ".join(map(repr, MEASURES))
            raise SettingsError(
                name="measure", value=measure, allowed=allowed, source="MemorySampler.sample()"
            )
        name = label if label is not None else f"sample {len(self.samples) + 1}"
        session = (client or current_client())._session  # noqa: SLF001 - a part of the client
        return _Sampling(Following(session, EventKinds.WORKERS), self.samples, name, measure)

    def to_pandas(self, *, align: bool = False) -> Any:
        """Return a frame with a column for each name; pandas must be installed.

        Parameters
        ----------
        align
            Whether all begin at the same time, 0.
        """
        # (Few need it, and this package does not require it.)
        pd = import_module("pandas")
        columns = {}
        for name, rows in self.samples.items():
            times = pd.to_datetime([time_s for time_s, _ in rows], unit="s")
            series = pd.Series([nbytes for _, nbytes in rows], index=times, name=name)
            series = series[~series.index.duplicated(keep="last")]
            if align and len(series):
                series.index = series.index - series.index[0]
            columns[name] = series
        return pd.DataFrame(columns).ffill()


class _Sampling(FollowedBlock):
    """One block that is sampled."""

    _sampled = WorkerSampled

    def __init__(
        self,
        following: Following,
        samples: dict[str, list[tuple[float, int]]],
        name: str,
        measure: str,
    ) -> None:
        super().__init__(following)
        self._samples = samples
        self._name = name
        self._field = MEASURES[measure]

    def _keep(self) -> None:
        snapshot = self._following.snapshot
        assert snapshot is not None
        latest = {one.worker: getattr(one, self._field) for one in snapshot.samples}
        rows = [(snapshot.time_s, sum(latest.values()))]
        for event in self._following.events:
            if isinstance(event, WorkerSampled):
                latest[event.worker] = getattr(event, self._field)
                rows.append((max(event.time_s, rows[-1][0]), sum(latest.values())))
            elif isinstance(event, WorkerGone) and latest.pop(event.worker, None) is not None:
                rows.append((max(event.time_s, rows[-1][0]), sum(latest.values())))
        self._samples[self._name] = rows
