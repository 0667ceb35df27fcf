"""Computing: graphs of tasks, and collections of dask."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from hocket.client.failures import Raised
from hocket.client.futures import Future
from hocket.client.garbage import collector_kept_still
from hocket.client.options import TaskOptions, make_options
from hocket.client.shell.collect import collect
from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import run_blocking
from hocket.client.submit import Submitter
from hocket.protocol.messages import THREADS

if TYPE_CHECKING:
    from hocket.client.client import Client
    from hocket.client.dask_adapter.expressions import Prepared
    from hocket.graph.keys import Key

__all__ = ["Computer"]

_OPTIONS: Final = frozenset(inspect.signature(make_options).parameters)


class Computer:
    """What a client computes of graphs and collections; a part of `Client`."""

    _session: ClientSession
    _submitter: Submitter

    def get(  # noqa: PLR0913 - as for submit
        self,
        graph: Any,
        keys: Any,
        *,
        sync: bool = True,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        executor: str = THREADS,
        task_timeout: float | str | None = None,
        timeout: float | None = None,
        **_others: Any,
    ) -> Any:
        """Compute keys of a graph.

        This is what dask calls if the client is its scheduler. What `dask.annotate` asked for
        (``priority``, ``retries``, ``retry_delay``, ``resources``, ``workers`` and
        ``allow_other_workers``) is heeded. What only puts the parts of a collection together runs
        here, and not on a worker.

        Parameters
        ----------
        graph
            A `hocket.graph.Graph`, a dict of tasks (ours or dask's), or a dask collection.
        keys
            A key, or nested lists of keys.
        sync
            Whether to wait for the values; if not, futures are returned.
        priority, retries, retry_delay, workers, allow_other_workers, resources, executor
            As for `submit`, for all tasks; each reserves the resources for itself.
        task_timeout
            How long each task may run; ``timeout`` of `submit`.
        timeout
            Seconds to wait; None waits for ever.
        **_others
            What dask hands on to its schedulers, such as ``num_workers``; means nothing here.

        Returns
        -------
        object
            The value of the key, or nested lists of values.

        Raises
        ------
        UnknownKey, GraphCycle, InvalidGraph
            The graph cannot be computed; the error shows why.
        Exception
            What a task raised.
        TimeoutError
            The values are not there in time.
        """
        # Imported here: most clients never need graphs, which take long to import.
        from hocket.graph.keys import arrange, flat_keys  # noqa: PLC0415

        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=executor,
            timeout=task_timeout,
        )
        flat = list(flat_keys(keys))
        if not sync or self._session.asynchronous:
            futures = arrange(keys, self._submit_graph(graph, flat, options))
            return cast("Client", self).gather(futures, timeout=timeout) if sync else futures
        return arrange(keys, self._compute_graph(graph, flat, options, timeout))

    def compute(
        self,
        collections: Any,
        *,
        sync: bool = False,
        optimize_graph: bool = True,
        timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Compute collections of dask on the cluster, each to one value.

        Parameters
        ----------
        collections
            A collection, or a list, tuple or set of them; what is none comes back as it is.
        sync
            Whether to wait for the values; if not, futures of them are returned.
        optimize_graph
            Whether dask optimises the graph before.
        timeout
            Seconds to wait with ``sync``; None waits for ever.
        **options
            ``priority``, ``retries``, ``task_timeout`` and so on, as for `get`; others are passed
            over.

        Returns
        -------
        Future, list, tuple or set of Future
            As the collections were given; with ``sync`` their values.
        """
        chosen = _options_of(options)
        from hocket.client.dask_adapter.collections import (  # noqa: PLC0415 - only who uses it
            compute_collections,
            map_collections,
        )

        blocks = sync and not self._session.asynchronous

        def compute_all(found: list[Any]) -> list[Any]:
            if blocks:
                return compute_collections(
                    found,
                    lambda graph, keys: self._compute_graph(graph, keys, chosen, timeout),
                    optimize_graph=optimize_graph,
                )
            return compute_collections(
                found,
                lambda graph, keys: self._submit_graph(graph, keys, chosen),
                optimize_graph=optimize_graph,
            )

        computed = map_collections(compute_all, collections)
        if sync and not blocks:
            return cast("Client", self).gather(computed, timeout=timeout)
        return computed

    def persist(self, collections: Any, *, optimize_graph: bool = True, **options: Any) -> Any:
        """Begin to compute collections of dask, part by part, and keep the parts on the cluster.

        Parameters
        ----------
        collections
            A collection, or a list, tuple or set of them; what is none comes back as it is.
        optimize_graph
            Whether dask optimises the graph before.
        **options
            ``priority``, ``retries``, ``task_timeout`` and so on, as for `get`; others are passed
            over.

        Returns
        -------
        object
            As the collections were given: the same collections, made of futures. The parts are
            kept as long as a collection made of them is.
        """
        chosen = _options_of(options)
        from hocket.client.dask_adapter.collections import (  # noqa: PLC0415 - only who uses it
            map_collections,
            persist_collections,
        )

        def persist_all(found: list[Any]) -> list[Any]:
            return persist_collections(
                found,
                lambda graph, keys: self._submit_graph(graph, keys, chosen),
                optimize_graph=optimize_graph,
            )

        return map_collections(persist_all, collections)

    def futures_of(self, *values: Any) -> list[Future]:
        """Return the futures in persisted collections and in nested containers, each once.

        Parameters
        ----------
        *values
            Collections, futures, lists, tuples, sets and dicts.
        """
        from hocket.client.dask_adapter.collections import futures_of  # noqa: PLC0415 - see `get`

        return futures_of(*values)

    # ------------------------------------------------------------------ graphs

    def _submit_graph(self, graph: Any, keys: list[Key], options: TaskOptions) -> dict[Key, Future]:
        """Have keys of a graph computed; return their futures."""
        from hocket.client.dask_adapter.expressions import prepare  # noqa: PLC0415 - as in `get`

        with collector_kept_still():
            prepared = prepare(graph, keys, options)
            futures = self._submit_prepared(prepared, prepared.keys, options)
        return {key: futures[ours] for key, ours in zip(keys, prepared.keys, strict=True)}

    def _compute_graph(
        self, graph: Any, keys: list[Key], options: TaskOptions, timeout_s: float | None
    ) -> dict[Key, Any]:
        """Compute keys of a graph, the last steps here."""
        from hocket.client.dask_adapter.expressions import prepare  # noqa: PLC0415 - as in `get`

        with collector_kept_still():
            prepared = prepare(graph, keys, options)
            last_steps = prepared.last_steps
            wanted: dict[Key, None] = {}
            for key in prepared.keys:
                if key in last_steps:
                    wanted.update(dict.fromkeys(last_steps[key].dependencies))
                else:
                    wanted[key] = None
            futures = self._submit_prepared(prepared, list(wanted), options)
        values = dict(zip(futures, self._values_of(futures, timeout_s), strict=True))
        del futures
        results = {key: values[key] for key in prepared.keys if key not in last_steps}
        while last_steps:
            key, step = last_steps.popitem()
            results[key] = step.run(values)
        return {key: results[ours] for key, ours in zip(keys, prepared.keys, strict=True)}

    def _submit_prepared(
        self, prepared: Prepared, keys: list[Key], options: TaskOptions
    ) -> dict[Key, Future]:
        from hocket.client.graphs import submit_graph  # noqa: PLC0415 - as in `get`

        session = self._session
        with session.lock:
            number = session.machine.take_numbers(1)
        suffix = f"-{session.machine.token}-{number}"
        batch_tasks = session.settings.client.submit_batch_tasks
        return submit_graph(self._submitter, prepared, keys, suffix, batch_tasks, options)

    def _values_of(self, futures: Mapping[Key, Future], timeout_s: float | None) -> list[Any]:
        """Return the values of futures, or raise what a task raised."""
        records = [one.record for one in futures.values()]
        values = run_blocking(collect(self._session, records, timeout_s))
        for value in values:
            if type(value) is Raised:
                raise self._told_by_key(value.error)
        return values

    def _told_by_key(self, error: BaseException) -> BaseException:
        """Return an error of a task that calls the task as the graph does."""
        notes = getattr(error, "__notes__", None)
        if notes:
            suffix = re.compile(f"-{self._session.machine.token}-[0-9]+")
            notes[:] = [suffix.sub("", note) for note in notes]
        return error


def _options_of(options: Mapping[str, Any]) -> TaskOptions:
    """Return what was asked for tasks, checked; what dask hands on for others is passed over.

    Raises
    ------
    SettingsError
        An option has a value that it cannot have.
    """
    chosen = {name: value for name, value in options.items() if name in _OPTIONS}
    chosen["timeout"] = options.get("task_timeout", options.get("timeout"))
    return make_options(**chosen)
