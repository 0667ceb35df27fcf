"""Tasks that return several named results: a future for each.

The call is one task. Beside it there is a tiny one for each name, which picks its part where the
whole was made. The future of the whole is dropped at once, so that it is gone when all have picked:
what remains of one part keeps nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from hocket.client.batches import TaskBatch
from hocket.client.futures import Future
from hocket.client.key_reference import KeyReference
from hocket.client.options import TaskOptions, check_key, check_text
from hocket.client.states import CANCELLED, LOST
from hocket.client.submit import Submitter
from hocket.core.errors import SettingsError
from hocket.core.named_outputs import PickOutput
from hocket.protocol.checks import NAME_LENGTH_MAX
from hocket.protocol.serialize import ArgumentPickler, dump_function, label_of

__all__ = ["check_outputs", "map_outputs", "submit_outputs"]

_OUTPUTS_MAX: Final = 1000
#: Of the tasks that pick, so many leave together.
_BATCH_TASKS: Final = 1000
_DIGEST_NBYTES: Final = 16


def check_outputs(outputs: object, *, actor: bool = False, pure: bool = False) -> tuple[str, ...]:
    """Return the names of outputs.

    Raises
    ------
    SettingsError
        They are no names, none, too many, or one stands there twice; or there is something beside
        them that they cannot be had with.
    """
    if actor:
        raise _wrong(outputs, "None beside actor=True: an actor has no parts")
    if pure:
        raise _wrong(outputs, "None beside pure=True in a map; submit call by call instead")
    if isinstance(outputs, str) or not isinstance(outputs, Iterable):
        raise _wrong(outputs, 'names of outputs, such as ("mean", "deviation")')
    names = tuple(islice(outputs, _OUTPUTS_MAX + 1))
    if not 0 < len(names) <= _OUTPUTS_MAX:
        raise _wrong(f"{len(names)} names", f"1 to {_OUTPUTS_MAX} names")
    for name in names:
        check_text("outputs", name, NAME_LENGTH_MAX)
        if not name or names.count(name) > 1:
            raise _wrong(names, "names that are not empty and differ from each other")
    return names


def submit_outputs(
    submitter: Submitter,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: object,
    *,
    pure: bool,
    options: TaskOptions,
    names: tuple[str, ...],
) -> dict[str, Future]:
    """Have one call made; return a future of each of its outputs, by name."""
    label = label_of(function)
    if key is None and not pure:
        whole = submitter.submit(function, args, kwargs, options=options)
        (parts,) = _pick(submitter, label, [whole], names, options.priority)
        _keep(parts, whole.record.holds)
        return parts
    batch, holds = submitter.name_call(function, args, kwargs, key, options=options)
    assert batch.specs is not None
    (name,) = batch.keys
    # Where all are there already, the whole is not made again.
    futures = [] if _are_known(submitter, name, names) else submitter.hand_over(batch)
    (parts,) = _pick(submitter, label, [name], names, options.priority, batch.specs)
    del futures
    _keep(parts, holds)
    return parts


def map_outputs(
    submitter: Submitter,
    function: Callable[..., Any],
    iterables: Sequence[Iterable[Any]],
    kwargs: dict[str, Any],
    key: object,
    *,
    options: TaskOptions,
    names: tuple[str, ...],
) -> list[dict[str, Future]]:
    """Have a call made for each row of the iterables; return their outputs.

    Raises
    ------
    SettingsError
        The calls are to have keys of their own: these might be there already.
    """
    if key is not None and not isinstance(key, str):
        raise SettingsError(
            name="key",
            value=f"{key!r:.100}",
            allowed="text for names to begin with, beside outputs=; or submit call by call",
            source="the call",
        )
    wholes = submitter.map(function, iterables, kwargs, key, options=options)
    parts = _pick(submitter, label_of(function), wholes, names, options.priority)
    for row, whole in zip(parts, wholes, strict=True):
        _keep(row, whole.record.holds)
    return parts


def _pick(
    submitter: Submitter,
    label: str,
    wholes: Sequence[Future | str],
    names: tuple[str, ...],
    priority: int,
    specs: Sequence[bytes] | None = None,
) -> list[dict[str, Future]]:
    """Submit what picks; wholes that may be there already are given by their keys and specs."""
    functions = [dump_function(PickOutput(label, name, names)) for name in names]
    function_of = list(range(len(names)))
    pickler = ArgumentPickler()
    step = max(1, _BATCH_TASKS // len(names))
    parts: list[dict[str, Future]] = []
    for begin in range(0, len(wholes), step):
        batch = TaskBatch(functions, [], [], [], options=TaskOptions(priority=priority))
        assert batch.references is not None
        for whole in wholes[begin : begin + step]:
            key = whole if isinstance(whole, str) else whole.key
            batch.keys += [part_key(key, name) for name in names]
            batch.payloads += [pickler.dumps((KeyReference(key),), {})] * len(names)
            batch.references += [pickler.references] * len(names)
            batch.function_of += function_of
        if specs is not None:
            batch.specs = [
                blake2b(spec + function.digest, digest_size=_DIGEST_NBYTES).digest()
                for spec in specs[begin : begin + step]
                for function in functions
            ]
        futures = iter(submitter.hand_over(batch))
        while row := list(islice(futures, len(names))):
            parts.append(dict(zip(names, row, strict=True)))
    return parts


def part_key(key: str, name: object) -> str:
    """Return the key of a part of what a task returns."""
    return check_key(f"{key}[{name}]")


def _are_known(submitter: Submitter, key: str, names: tuple[str, ...]) -> bool:
    """Tell whether there are futures of all outputs of a key."""
    session = submitter.session
    with session.lock:
        find = session.begin().find
        states = [find(part_key(key, name)) for name in names]
    return all(one is not None and one.status not in (CANCELLED, LOST) for one in states)


def _keep(parts: dict[str, Future], holds: Any) -> None:
    """Have what was scattered for a call live as long as its outputs, which may be made again."""
    if holds:
        for future in parts.values():
            future.record.holds = holds


def _wrong(value: object, allowed: str) -> SettingsError:
    return SettingsError(name="outputs", value=value, allowed=allowed, source="the call")
