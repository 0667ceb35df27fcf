"""Having work done: single calls and many, and what may be asked for beside them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast, overload

from hocket.client.futures import Future
from hocket.client.options import make_options
from hocket.client.outputs import check_outputs, map_outputs, submit_outputs
from hocket.client.shell.session import ClientSession
from hocket.client.submit import Submitter
from hocket.core.actor_class import ActorClass
from hocket.core.cluster_identity import ClusterIdentity
from hocket.core.errors import SettingsError
from hocket.protocol.messages import ACTORS, THREADS

if TYPE_CHECKING:
    from hocket.client.actors import Actor
    from hocket.client.executor import ClientExecutor

__all__ = ["Caller", "check_callable", "check_iterables", "check_options"]


class Caller:
    """What a client can have done; a part of `Client`."""

    _session: ClientSession
    _submitter: Submitter

    @overload
    def submit(
        self, fn: Callable[..., Any], /, *args: Any, outputs: None = None, **kwargs: Any
    ) -> Future: ...

    @overload
    def submit(
        self, fn: Callable[..., Any], /, *args: Any, outputs: Iterable[str], **kwargs: Any
    ) -> dict[str, Future]: ...

    def submit(  # noqa: PLR0913 - the options of dask.distributed, and ours
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        outputs: Iterable[str] | None = None,
        key: Any = None,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        executor: str = THREADS,
        timeout: float | str | None = None,
        actor: bool = False,
        **kwargs: Any,
    ) -> Future | dict[str, Future]:
        """Have a function called on the cluster.

        Parameters
        ----------
        fn
            What to call.
        *args, **kwargs
            Its arguments. Futures in them, however deep, become the values when it is called.
        outputs
            Names, if ``fn`` returns several results: a dict with these keys, or a tuple in this
            order. Each gets a future of its own, and who uses one does not keep the others. (To
            hand ``outputs`` to ``fn`` itself, use `functools.partial`.)
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
            Which of a worker's executors runs it: ``"threads"``; ``"loop"`` for coroutine functions
            that mostly wait; or ``"processes"``, where it runs in a process beside the worker's
            that sees the GPUs only that it has, and may die without harm.
        timeout
            How long it may run, from its beginning to its end: seconds, or text with a unit. After
            that it is interrupted, if it runs Python code (or awaits something) and not, say, a
            system call that does not return; in any case it has failed. (To hand a ``timeout`` to
            ``fn`` itself, use `functools.partial`.)
        actor
            Whether ``fn`` is a class, an object of which is to live on a worker: the result is an
            `Actor`. See `Client.actor`.

        Returns
        -------
        Future
            Of the result; with ``outputs``, a dict of futures by name.

        Raises
        ------
        TypeError
            ``fn`` cannot be called, or is a generator function; see `Client.stream`.
        SerializationError
            The function or an argument cannot be pickled; the error says which.
        DuplicateKey
            The key stands for another task of this client.
        SettingsError
            An option has a value that it cannot have.
        PeerLost
            The client is closed, or its scheduler gone.
        """
        check_callable(fn, timeout, outputs)
        if actor:
            fn = actor_class(fn, self._session.cluster, executor=executor, pure=pure)
            executor = ACTORS
        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=executor,
            timeout=timeout,
        )
        if outputs is not None:
            names = check_outputs(outputs, actor=actor)
            return submit_outputs(
                self._submitter, fn, args, kwargs, key, pure=pure, options=options, names=names
            )
        return self._submitter.submit(fn, args, kwargs, key, pure=pure, options=options)

    def actor(
        self,
        cls: type,
        /,
        *args: Any,
        key: Any = None,
        priority: int = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        checkpoint_every: int = 1,
        **kwargs: Any,
    ) -> Actor:
        """Have an object of a class made that lives on one worker, and return what stands for it.

        Returns at once; calls wait until the object is there. It lives as long as somebody holds
        what stands for it, and keeps its resources meanwhile. If its worker is lost, so is the
        object, and calls raise `ActorLost`; unless the class has the methods ``__checkpoint__()``,
        which returns what there is to keep, and ``__restore__(state)``: it is restarted elsewhere
        then, from the last checkpoint.

        Parameters
        ----------
        cls
            The class.
        *args, **kwargs
            What it is made with; futures in them become the values.
        key, priority, workers, allow_other_workers, resources
            As for `submit`; the resources are reserved as long as it lives.
        checkpoint_every
            A checkpoint is taken after so many calls.

        Raises
        ------
        TypeError
            It is no class.
        SerializationError, DuplicateKey, SettingsError, PeerLost
            As for `submit`.

        Examples
        --------
        >>> counter = client.actor(Counter)  # doctest: +SKIP
        >>> counter.add(1).result()  # doctest: +SKIP
        1
        """
        # Imported here: most clients never need it.
        from hocket.client.actors import Actor  # noqa: PLC0415

        spec = actor_class(cls, self._session.cluster, checkpoint_every=checkpoint_every)
        options = make_options(
            priority=priority,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=ACTORS,
        )
        future = self._submitter.submit(spec, args, kwargs, key, options=options)
        return Actor(future, spec.reference(future.key))

    @overload
    def map(
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        outputs: None = None,
        **kwargs: Any,
    ) -> list[Future]: ...

    @overload
    def map(
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        outputs: Iterable[str],
        **kwargs: Any,
    ) -> list[dict[str, Future]]: ...

    def map(  # noqa: PLR0913 - as for submit
        self,
        fn: Callable[..., Any],
        /,
        *iterables: Iterable[Any],
        outputs: Iterable[str] | None = None,
        key: Any = None,
        pure: bool = False,
        priority: int = 0,
        retries: int = 0,
        retry_delay: float | str = 0,
        workers: str | Iterable[str] | None = None,
        allow_other_workers: bool = False,
        resources: Mapping[str, float | str] | None = None,
        executor: str = THREADS,
        timeout: float | str | None = None,
        **kwargs: Any,
    ) -> list[Future] | list[dict[str, Future]]:
        """Have a function called for each element of some iterables; ends with the shortest.

        The calls leave in batches, and the first are run while the last are being pickled.

        Parameters
        ----------
        fn
            What to call.
        *iterables
            Its positional arguments, as for the builtin ``map``.
        outputs
            As for `submit`: for each call, a dict of futures by name is returned. Such calls
            cannot be ``pure``, or have keys of their own.
        key
            A list of names, or a text for names to begin with.
        pure, priority, retries, retry_delay, workers, allow_other_workers, resources, executor
            As for `submit`, for all calls; each reserves the resources for itself.
        timeout
            As for `submit`, for each call.
        **kwargs
            Keyword arguments of all calls.

        Raises
        ------
        TypeError
            ``fn`` cannot be called, or something cannot be iterated over, or nothing is given to.
        SerializationError, DuplicateKey, SettingsError, PeerLost
            As for `submit`. Of what was submitted before, the futures are released.
        """
        check_callable(fn, timeout, outputs)
        check_iterables(iterables)
        options = make_options(
            priority=priority,
            retries=retries,
            retry_delay=retry_delay,
            workers=workers,
            allow_other_workers=allow_other_workers,
            resources=resources,
            executor=executor,
            timeout=timeout,
        )
        if outputs is not None:
            names = check_outputs(outputs, pure=pure)
            return map_outputs(
                self._submitter, fn, iterables, kwargs, key, options=options, names=names
            )
        return self._submitter.map(fn, iterables, kwargs, key, pure=pure, options=options)

    def get_executor(  # noqa: PLR0913 - as for submit
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
        timeout: float | str | None = None,
    ) -> ClientExecutor:
        """Return a `concurrent.futures.Executor` whose calls run on the cluster.

        Parameters
        ----------
        pure, priority, retries, retry_delay, workers, allow_other_workers, resources, executor
            As for `submit`, for all calls.
        timeout
            As for `submit`, for each call.

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
            timeout=timeout,
        )
        return ClientExecutor(self._submitter, self._session, options, pure=pure)


def actor_class(
    cls: object,
    cluster: ClusterIdentity,
    *,
    executor: str = THREADS,
    pure: bool = False,
    checkpoint_every: int = 1,
) -> ActorClass:
    """Return what makes an actor of a class.

    Raises
    ------
    TypeError
        It is no class.
    SettingsError
        Something is asked for that actors do not have.
    """
    # Imported here: most clients never need it.
    from hocket.client.actors import attach  # noqa: PLC0415

    if not isinstance(cls, type):
        raise TypeError(f"an actor is made of a class, not of {cls!r:.100}")
    source = "the call"
    if executor != THREADS:
        allowed = "nothing beside actor=True: an actor has a thread of its own"
        raise SettingsError(name="executor", value=executor, allowed=allowed, source=source)
    if pure:
        allowed = "False beside actor=True: two actors are never the same"
        raise SettingsError(name="pure", value=pure, allowed=allowed, source=source)
    if not isinstance(checkpoint_every, int) or checkpoint_every < 1:
        allowed = "a whole number from 1"
        raise SettingsError(
            name="checkpoint_every", value=checkpoint_every, allowed=allowed, source=source
        )
    return ActorClass(cls, attach, cluster, checkpoint_every)


def check_callable(function: object, timeout: object = None, outputs: object = None) -> None:
    """Refuse what cannot be called, or would not return what a task can.

    Raises
    ------
    TypeError
        It cannot; or it is a generator function; or there is an option that may be meant for it.
    """
    check_options(function, timeout=timeout, outputs=outputs)
    if _makes_generator(function):
        raise TypeError(
            f"{function!r:.100} is a generator function: what it yields comes by"
            " client.stream(function, ...); for a list of all of it, submit a function that"
            " returns list(...)"
        )


def check_iterables(iterables: Sequence[object]) -> None:
    """Refuse what `map` cannot go through.

    Raises
    ------
    TypeError
        There is none, or one of them cannot be iterated over.
    """
    if not iterables:
        raise TypeError("map needs at least one iterable")
    for number, one in enumerate(iterables, 1):
        try:
            iter(cast("Iterable[object]", one))
        except TypeError:
            raise TypeError(
                f"map goes through iterables, and number {number} is {one!r:.100}, of type"
                f" {type(one).__name__}"
            ) from None


_OPTION_USES: Final = {
    "timeout": "limits how long the task may run",
    "outputs": "names what the task returns",
    "ahead": "limits what is made before it is taken",
}


def check_options(function: object, **options: object) -> None:
    """Refuse what cannot be called, and options that may be meant for it.

    Raises
    ------
    TypeError
        It cannot, or there are.
    """
    if not callable(function):
        raise TypeError(
            f"the first argument must be a function, not {function!r:.100} of type"
            f" {type(function).__name__}"
        )
    for name, value in options.items():
        if value is not None and _wants(function, name):
            raise TypeError(
                f"{name}={value!r} {_OPTION_USES[name]}, but {function!r:.100} has a parameter of"
                f" that name, too; bind that with functools.partial(function, {name}=...)"
            )


def _makes_generator(function: object) -> bool:
    """Tell whether a function returns a generator whenever it is called."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _wants(function: Callable[..., Any], name: str) -> bool:
    if isinstance(function, functools.partial) and name in function.keywords:
        return False
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
