"""Programs: several calls that belong to one task, as one function of what differs between tasks.

A graph of dask has thousands of tasks that do the same to different data: the same functions in the
same order, with other keys and other constants. As a program these are one function, which is
pickled once, and each task is a short list of arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hocket.graph.task import function_name

__all__ = ["Program", "Step", "make_dict", "make_list", "make_set", "make_tuple"]

#: A call: the function, its operands, and the names of the last operands where these are keyword
#: arguments. An operand from 0 is an argument of the program, one below 0 the result of a step:
#: ``-1`` of the first, ``-2`` of the second.
Step: TypeAlias = tuple[Callable[..., Any], tuple[int, ...], tuple[str, ...]]

#: The name of a program shows so many of its functions.
_NAMES_COUNT_MAX = 4


def make_list(*items: Any) -> list[Any]:
    """Return a list of the arguments."""
    return list(items)


def make_tuple(*items: Any) -> tuple[Any, ...]:
    """Return a tuple of the arguments."""
    return items


def make_set(*items: Any) -> set[Any]:
    """Return a set of the arguments."""
    return set(items)


def make_dict(*items: Any) -> dict[Any, Any]:
    """Return a dict of the arguments: a key, its value, the next key, ..."""
    return dict(zip(items[::2], items[1::2], strict=True))


_MAKERS = (make_list, make_tuple, make_set, make_dict)


class Program:
    """Calls that are made one after the other; the result of the last one is the program's.

    What a step returned is let go when the last step that needs it is done.

    Parameters
    ----------
    steps
        At least one.
    constants
        What follows the arguments at each call.

    Examples
    --------
    >>> double_and_add = Program(((max, (0, 1), ()), (sum, (-1,), ())), constants=((1, 2),))
    >>> double_and_add((0, 5))
    5
    """

    __slots__ = ("_drops", "constants", "steps")

    steps: tuple[Step, ...]
    constants: tuple[Any, ...]

    def __init__(self, steps: tuple[Step, ...], constants: tuple[Any, ...] = ()) -> None:
        self.steps = steps
        self.constants = constants
        last_uses: dict[int, int] = {}
        for number, (_, operands, _) in enumerate(steps):
            for operand in operands:
                if operand < 0:
                    last_uses[~operand] = number
        #: Per step: the numbers of those whose results nobody needs after it.
        self._drops: list[list[int]] = [[] for _ in steps]
        for number in range(len(steps) - 1):
            self._drops[last_uses.get(number, number)].append(number)

    def __call__(self, *arguments: Any) -> Any:
        """Run the steps."""
        values = (*arguments, *self.constants)
        results: list[Any] = []
        for (function, operands, names), drops in zip(self.steps, self._drops, strict=True):
            filled = [values[one] if one >= 0 else results[~one] for one in operands]
            if names:
                keywords = dict(zip(names, filled[-len(names) :], strict=True))
                del filled[-len(names) :]
                results.append(function(*filled, **keywords))
            else:
                results.append(function(*filled))
            for number in drops:
                results[number] = None
        return results[-1]

    @property
    def __name__(self) -> str:
        # By identity: a callable need not be hashable, and may have odd notions of equality.
        functions = [step[0] for step in self.steps]
        names = [
            function_name(one) for one in functions if not any(one is maker for maker in _MAKERS)
        ]
        if len(names) > _NAMES_COUNT_MAX:
            left_out_count = len(names) - _NAMES_COUNT_MAX
            names[_NAMES_COUNT_MAX - 1 : -1] = [f"({left_out_count + 1} more)"]
        return "-".join(names) or "program"

    def __repr__(self) -> str:
        return f"<Program {self.__name__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Program, (self.steps, self.constants)
