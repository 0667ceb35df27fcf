"""Having work done: single calls and many, and what may be asked for beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hocket.client.futures import Future
from hocket.client.options import make_options
from hocket.client.shell.session import ClientSession
from hocket.client.submit import Submitter
from hocket.protocol.messages import THREADS

if TYPE_CHECKING:
    from hocket.client.executor import ClientExecutor

__all__ = ["Caller", "check_callable"]


class Caller:
    """What a client can have done; a part of `Client`."""

    _session: ClientSession
    _submitter: Submitter

    def submit(  # noqa: PLR0913 - the options of dask.distributed, and ours
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        key: Any = None,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        executor: str = THREADS,
        **kwargs: Any,
    ) -> Future:
        """Have a function called on the cluster.

        Parameters
        ----------
        fn
            What to call.
        *args, **kwargs
            Its arguments. Futures in them, however deep, become the values when it is called.
        key
            A name for the task; without it, one that no other task has.
        pure
            Whether the same call gives the same result each time: the key is then made from the
            call, and a result that is there already is not computed again.
        priority
            -32767 to 32767; higher runs first.
        retries
            How often the task is tried again after it raised, rather on another worker.
        retry_delay
            How long it rests before: seconds, or text with a unit (``"500 ms"``).
        workers
            Names or addresses of the only workers that may run it.
        allow_other_workers
            Whether these are only preferred.
        resources
            What the task reserves on its worker while it runs, by name: ``{"GPU": 1}``,
            ``{"license": 0.5}``. ``memory`` is in bytes, or text with a unit (``"5 GB"``), and is
            offered by workers that have a memory limit.
        executor
            Which of a worker's executors runs it: ``"threads"``, or ``"loop"`` for coroutine
            functions that mostly wait.

        Returns
        -------
        Future
            Of the result.

        Raises
        ------
        TypeError
            ``fn`` cannot be called.
        SerializationError
            The function or an argument cannot be pickled; the error says which.
        DuplicateKey
            The key stands for another task of this client.
        SettingsError
            An option has a value that it cannot have.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        check_callable(fn)
        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=executor,
        )
        return self._submitter.submit(fn, args, kwargs, key, pure=pure, options=options)

    def map(  # noqa: PLR0913 - as for submit
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        key: Any = None,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        executor: str = THREADS,
        **kwargs: Any,
    ) -> list[Future]:
        """Have a function called for each element of some iterables; ends with the shortest.

        The calls leave in batches, and the first are run while the last are being pickled.

        Parameters
        ----------
        fn
            What to call.
        *iterables
            Its positional arguments, as for the builtin ``map``.
        key
            A list of names, or a text for names to begin with.
        pure, priority, retries, retry_delay, workers, allow_other_workers, resources, executor
            As for `submit`, for all calls; each reserves the resources for itself.
        **kwargs
            Keyword arguments of all calls.

        Raises
        ------
        TypeError
            ``fn`` cannot be called, or something cannot be iterated over, or nothing is given to.
        SerializationError, DuplicateKey, SettingsError, PeerLost
            As for `submit`. Of what was submitted before, the futures are released.
        """
        check_callable(fn)
        if not iterables:
            raise TypeError("map needs at least one iterable")
        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=executor,
        )
        return self._submitter.map(fn, iterables, kwargs, key, pure=pure, options=options)

    def get_executor(
        self,
        *,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        executor: str = THREADS,
    ) -> ClientExecutor:
        """Return a `concurrent.futures.Executor` whose calls run on the cluster.

        Parameters
        ----------
        pure, priority, retries, retry_delay, workers, allow_other_workers, resources, executor
            As for `submit`, for all calls.

        Raises
        ------
        SettingsError
            An option has a value that it cannot have.

        Examples
        --------
        >>> with client.get_executor(retries=2) as executor:  # doctest: +SKIP
        ...     list(executor.map(pow, [2, 3], [5, 2]))
        [32, 9]
        """
        # Imported here: most clients never need it.
        from hocket.client.executor import ClientExecutor  # noqa: PLC0415

        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=executor,
        )
        return ClientExecutor(self._submitter, self._session, options, pure=pure)


def check_callable(function: object) -> None:
    """Refuse what cannot be called.

    Raises
    ------
    TypeError
        It cannot.
    """
    if not callable(function):
        raise TypeError(
            f"the first argument must be a function, not {function!r:.100} of type"
            f" {type(function).__name__}"
        )
