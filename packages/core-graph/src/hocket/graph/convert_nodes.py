"""Conversion of dask's task specification: its objects become tasks, references and literals.

What dask fused into one task, and calls within calls, become a `Program`: its functions and their
order, without what differs between tasks. So the tasks of a layer share one function, however many
they are, and each is a flat list of arguments.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MethodType, ModuleType
from typing import Any

from hocket.graph.keys import Key
from hocket.graph.program import Program, Step, make_dict, make_list, make_set, make_tuple
from hocket.graph.task import Literal, Ref, Task, is_scalar, made_task

__all__ = ["NodeConversion", "literal_of"]

_HOLDERS = frozenset({list, tuple, dict, set, frozenset})

_NO_KWARGS: Mapping[str, Any] = {}


def literal_of(value: Any) -> Any:
    """Return a value such that our tasks do not look for references in it."""
    kind = type(value)
    if is_scalar(kind):
        return value
    if kind is tuple or kind is list:
        return value if all(is_scalar(type(item)) for item in value) else Literal(value)
    if isinstance(value, tuple | Ref | Task | Literal) or kind in _HOLDERS:
        return Literal(value)
    return value


class NodeConversion:
    """Converts the objects of one graph.

    Parameters
    ----------
    dask
        The module ``dask._task_spec``.
    entries
        All entries of the graph, to see what they share.
    """

    def __init__(self, dask: ModuleType, entries: Iterable[Any]) -> None:
        self._dask: Any = dask
        self._fused: Any = dask._execute_subgraph  # noqa: SLF001 - what dask fuses with
        self._task_class: type = dask.Task
        self._ref_class: Any = dask.TaskRef
        self._alias_class: type = dask.Alias
        self._data_class: type = dask.DataNode
        self._list_class: type = dask.List
        self._node_classes: tuple[type, ...] = (dask.GraphNode, dask.TaskRef)
        fused_counts = Counter(
            id(entry.args[0])
            for entry in entries
            if type(entry) is dask.Task and entry.func is self._fused
        )
        #: Graphs inside of tasks that several tasks have, by id, and what became of them.
        self._shared: dict[int, dict[Any, Program | None]] = {
            one: {} for one, count in fused_counts.items() if count > 1
        }
        self._programs: dict[tuple[Any, ...], Program] = {}
        #: Of equal functions the one that was met first; kept, so that ids stay theirs.
        self._functions: dict[Any, Callable[..., Any]] = {}

    def is_node(self, value: object) -> bool:
        """Tell whether a value is an object of the task specification."""
        return isinstance(value, self._node_classes)

    def convert(self, node: Any) -> Any:
        """Convert what stands for a key, or an argument that is a node."""
        kind = type(node)
        if kind is self._task_class:
            return self._call(node)
        if issubclass(kind, self._data_class):
            value = literal_of(node.value)
            return Literal(value) if type(value) in _HOLDERS else value
        if kind is self._alias_class:
            return Ref(node.target)
        if isinstance(node, self._ref_class):
            return Ref(node.key)
        if kind is self._list_class:
            items = self._flat_items(node.args, {})
            if items is not None:
                return items
        return self._program_of(node)

    # ------------------------------------------------------------------ plain calls

    def _call(self, node: Any) -> Task:
        """Convert a call, the quick way if there are no calls within it."""
        function, args = node.func, node.args
        if function is self._fused:
            program = self.shared_program(args)
            if program is None:
                return self._program_of(node)
            function, args = program, args[3:]
        else:
            function = self._canonical(function)
        needed: dict[Key, None] = {}
        converted = self._flat_items(args, needed)
        if converted is None:
            return self._program_of(node)
        kwargs = _NO_KWARGS
        if node.kwargs:
            values = self._flat_items(node.kwargs.values(), needed)
            if values is None:
                return self._program_of(node)
            kwargs = dict(zip(node.kwargs, values, strict=True))
        return made_task(function, tuple(converted), kwargs, tuple(needed))

    def _flat_items(self, values: Iterable[Any], needed: dict[Key, None]) -> list[Any] | None:
        """Convert arguments and note the keys they need; None if there are calls among them."""
        converted = []
        ref_class, alias_class, list_class = self._ref_class, self._alias_class, self._list_class
        for value in values:
            kind = type(value)
            if is_scalar(kind):
                item = value
            elif kind is ref_class:
                item = Ref(value.key)
                needed[item.key] = None
            elif kind is alias_class:
                item = Ref(value.target)
                needed[item.key] = None
            elif kind is self._data_class:
                item = literal_of(value.value)
            elif kind is list_class:
                item = self._flat_items(value.args, needed)
                if item is None:
                    return None
            elif isinstance(value, self._node_classes):
                return None
            elif is_dask_future(value):
                item = Ref(value.key)
                needed[item.key] = None
            else:
                item = literal_of(value)
            converted.append(item)
        return converted

    def _canonical(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return one object for functions that were bound anew for each task."""
        kind = type(function)
        if kind is functools.partial:
            bound: Any = function
            name: Any = (
                id(bound.func),
                tuple([_identity_of(one) for one in bound.args]),
                tuple([(key, _identity_of(one)) for key, one in bound.keywords.items()]),
            )
        elif kind is MethodType:
            method: Any = function
            name = (id(method.__self__), id(method.__func__))
        else:
            return function
        return self._functions.setdefault(name, function)

    # ------------------------------------------------------------------ programs

    def _program_of(self, node: Any) -> Task:
        """Convert a node with calls within it."""
        builder = _Builder(self)
        builder.finish(builder.operand(node, None))
        signature = tuple(
            [(id(function), operands, names) for function, operands, names in builder.steps]
        )
        program = self._programs.get(signature)
        if program is None:
            program = self._programs[signature] = Program(tuple(builder.steps))
        return Task(program, tuple(builder.arguments))

    def shared_program(self, args: tuple[Any, ...]) -> Program | None:
        """Return the program of a graph inside of a task, with what is constant in it.

        None if no other task has the same graph, or if it needs more than its inputs.
        """
        inner, outkey, inkeys = args[:3]
        programs = self._shared.get(id(inner))
        if programs is None:
            return None
        name = (outkey, id(inkeys))
        if name not in programs:
            builder = _Builder(self)
            operands = {key: builder.argument(Ref(key)) for key in inkeys}
            is_odd = len(operands) != len(inkeys)
            builder.finish(builder.run_graph(inner, outkey, operands))
            constants = builder.arguments[len(inkeys) :]
            if is_odd or any(isinstance(one, Ref | list) for one in constants):
                programs[name] = None
            else:
                plain = [one.value if isinstance(one, Literal) else one for one in constants]
                programs[name] = Program(tuple(builder.steps), tuple(plain))
        return programs[name]


class _Scope:
    """A graph inside of a task: what its keys stand for."""

    __slots__ = ("inner", "operands")

    def __init__(self, inner: Mapping[Any, Any], operands: dict[Any, int]) -> None:
        self.inner = inner
        self.operands = operands


class _Builder:
    """A program while it is built; operands are numbered as in a `Step`."""

    def __init__(self, conversion: NodeConversion) -> None:
        self._conversion = conversion
        self._dask = conversion._dask  # noqa: SLF001 - of this file
        self._fused = conversion._fused  # noqa: SLF001 - the same
        self.arguments: list[Any] = []
        self.steps: list[Step] = []
        #: Arguments that are references, by key.
        self._references: dict[Any, int] = {}

    def finish(self, result: int) -> None:
        """See to it that the last step's result is that of the program."""
        if result != ~(len(self.steps) - 1) or not self.steps:
            self._step(_same, (result,))

    def argument(self, value: Any) -> int:
        """Return the operand of a new argument."""
        self.arguments.append(value)
        return len(self.arguments) - 1

    def _step(
        self,
        function: Callable[..., Any],
        operands: tuple[int, ...],
        names: tuple[str, ...] = (),
    ) -> int:
        self.steps.append((function, operands, names))
        return -len(self.steps)

    def operand(self, value: Any, scope: _Scope | None) -> int:
        """Return the operand that stands for a value within a scope."""
        dask = self._dask
        kind = type(value)
        if kind is dask.Task:
            return self._call(value, scope)
        if kind is dask.Alias:
            return self._reference(value.target, scope)
        if isinstance(value, dask.TaskRef) or is_dask_future(value):
            return self._reference(value.key, scope)
        if isinstance(value, dask.NestedContainer):
            return self._container(value, scope)
        is_data = isinstance(value, dask.DataNode)
        if not is_data and isinstance(value, dask.GraphNode):
            # A kind that we do not know: let it run itself, with its inputs by key.
            keys = sorted(value.dependencies, key=repr)
            inputs = [self._reference(key, scope) for key in keys]
            given = self.argument(Literal(value)), self.argument(Literal(keys))
            return self._step(_run_node, (*given, *inputs))
        return self.argument(literal_of(value.value if is_data else value))

    def _reference(self, key: Any, scope: _Scope | None) -> int:
        if scope is not None and key in scope.operands:
            return scope.operands[key]
        found = self._references.get(key)
        if found is None:
            found = self._references[key] = self.argument(Ref(key))
        return found

    def _call(self, node: Any, scope: _Scope | None) -> int:
        if node.func is self._fused:
            inner, outkey, inkeys = node.args[:3]
            inputs = [self.operand(one, scope) for one in node.args[3:]]
            program = self._conversion.shared_program(node.args)
            if program is not None:
                return self._step(program, tuple(inputs))
            return self.run_graph(inner, outkey, dict(zip(inkeys, inputs, strict=True)))
        operands = [self.operand(one, scope) for one in node.args]
        operands += [self.operand(one, scope) for one in node.kwargs.values()]
        function = self._conversion._canonical(node.func)  # noqa: SLF001 - of this file
        return self._step(function, tuple(operands), tuple(node.kwargs))

    def _container(self, node: Any, scope: _Scope | None) -> int:
        dask = self._dask
        is_list = isinstance(node, dask.List)
        if is_list and (scope is None or scope.operands.keys().isdisjoint(node.dependencies)):
            # One argument, so that the program is the same for lists of all lengths.
            items = self._conversion._flat_items(node.args, {})  # noqa: SLF001 - of this file
            if items is not None:
                return self.argument(items)
        makers = {dask.List: make_list, dask.Tuple: make_tuple, dask.Dict: make_dict}
        maker = makers.get(type(node), make_set)
        return self._step(maker, tuple([self.operand(one, scope) for one in node.args]))

    def run_graph(self, inner: Mapping[Any, Any], outkey: Any, operands: dict[Any, int]) -> int:
        """Add the steps of a graph inside of a task; return the operand of one of its keys."""
        # An input hides an entry of the same key, as it does to dask.
        scope = _Scope(inner, operands)
        pending = [outkey]
        while pending:
            key = pending[-1]
            if key in operands:
                pending.pop()
                continue
            node = inner[key]
            missing = [one for one in node.dependencies if one in inner and one not in operands]
            if missing and key not in missing:
                # In the order of their text, which is the same in every process.
                pending += missing if len(missing) == 1 else sorted(missing, key=repr)
                continue
            operands[key] = self.operand(node, scope)
            pending.pop()
        return operands[outkey]


def is_dask_future(value: object) -> bool:
    """Recognise futures of other schedulers, as dask does."""
    return getattr(type(value), "__dask_future__", False) is True


def _identity_of(value: object) -> object:
    """Return what two values have in common only if they are equal for good."""
    return (type(value), value) if type(value) in (int, str, bool, type(None)) else id(value)


def _same(value: Any) -> Any:
    return value


def _run_node(node: Any, keys: list[Key], *values: Any) -> Any:
    return node(dict(zip(keys, values, strict=True)))
