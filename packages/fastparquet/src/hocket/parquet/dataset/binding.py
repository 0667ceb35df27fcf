"""Filters bound to the columns and partitions that they name."""

from __future__ import annotations

from collections.abc import Sequence

from hocket.parquet.assemble.value_kinds import ColumnHint, ValueKind, column_hint, leaf_type
from hocket.parquet.dataset.collection import Collection
from hocket.parquet.dataset.filters import Condition, Filter
from hocket.parquet.dataset.keys import Family, KeyDomain, domain_of_leaf
from hocket.parquet.dataset.partitions import Partition
from hocket.parquet.dataset.predicates import Predicate, Shape, predicate_of
from hocket.parquet.decode.target import Target
from hocket.parquet.errors import ColumnMissing, InvalidFilter
from hocket.parquet.metadata.schema import PhysicalType, SchemaNode
from hocket.parquet.records import dataclass, replace

__all__ = ["Alternatives", "BoundFilter", "ColumnTest", "PartitionTest", "bind"]


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """A predicate on a column of the files.

    Parameters
    ----------
    leaf
        The column in the schema of the dataset.
    predicate
        What its values have to fulfil.
    target
        What they are best decoded to.
    """

    leaf: SchemaNode
    predicate: Predicate
    target: Target


@dataclass(frozen=True, slots=True)
class PartitionTest:
    """A predicate on a partition, whose answer is known for each file."""

    partition: Partition
    predicate: Predicate

    def holds(self, file: int) -> bool:
        """Tell whether the rows of a file fulfil it."""
        value = self.partition.value(file)
        shape = self.predicate.shape
        if value is None:
            return shape is Shape.NULL
        if shape in (Shape.NULL, Shape.PRESENT):
            return shape is Shape.PRESENT
        key, _ = self.predicate.domain.key(value)
        return self.predicate.holds(key)


#: Tests that have to hold together.
Alternatives = tuple[tuple[ColumnTest, ...], ...]
BoundFilter = tuple[tuple[ColumnTest | PartitionTest, ...], ...]


def bind(collection: Collection, filters: Filter) -> BoundFilter:
    """Find what the conditions of a filter name, and bring their values into its terms.

    Raises
    ------
    ColumnMissing
        There is no such column.
    InvalidFilter
        The column's values do not compare, or not with the value that is given.
    """
    binder = _Binder(collection)
    return tuple(tuple(binder.test(each) for each in every) for every in filters)


class _Binder:
    def __init__(self, collection: Collection) -> None:
        self._schema = collection.schema
        self._partitions = {each.name: each for each in collection.partitions}
        self._hints = collection.hints
        self._file = collection.files[0].label if collection.files else None

    def test(self, condition: Condition) -> ColumnTest | PartitionTest:
        partition = self._partitions.get(condition.column)
        if partition is not None:
            return PartitionTest(partition, predicate_of(condition, partition.domain))
        leaf = self._leaf(condition)
        hint = self._hint(leaf)
        return ColumnTest(
            leaf,
            predicate_of(condition, _domain(leaf, hint)),
            _target(leaf, hint),
        )

    def _leaf(self, condition: Condition) -> SchemaNode:
        try:
            node = self._schema.find(condition.column)
        except ColumnMissing as error:
            if self._partitions:
                error.reason += f" (partitions are {', '.join(map(repr, self._partitions))})"
            error.reason = f"{condition}: {error.reason}"
            raise error.located(file=self._file) from None
        alike = [each for each in self._schema.fields if each.name == condition.column]
        if len(alike) > 1:
            raise InvalidFilter(
                f"{condition}: {len(alike)} columns have that name, and it is not told which is "
                "meant; filter the frame instead",
                column=condition.column,
            )
        if any(leaf.max_repetition for leaf in self._schema.leaves_under(node)):
            raise InvalidFilter(f"{condition}: lists and maps do not compare", column=node.dotted)
        if not node.is_leaf:
            members = ", ".join(repr(f"{node.dotted}.{each.name}") for each in node.children)
            raise InvalidFilter(
                f"{condition}: the column is a struct; compare one of its members: {members}",
                column=node.dotted,
            )
        return node

    def _hint(self, leaf: SchemaNode) -> ColumnHint:
        name, *members = leaf.path
        arrow = self._hints.arrow.get(name)
        for member in members:
            inside = () if arrow is None else arrow.children
            arrow = next((each for each in inside if each.name == member), None)
        return column_hint(None if members else self._hints.pandas.columns.get(name), arrow)


def _domain(leaf: SchemaNode, hint: ColumnHint) -> KeyDomain:
    values = leaf_type(leaf, hint)
    if values.kind is ValueKind.DURATION:
        return KeyDomain(Family.DURATION, unit=values.unit)
    return domain_of_leaf(leaf)


def _target(leaf: SchemaNode, hint: ColumnHint) -> Target:
    target = leaf_type(leaf, hint).target
    if leaf.physical is PhysicalType.BYTE_ARRAY and target.item_size == 0:
        # Each string of the dictionary is compared once.
        return replace(target, keep_dictionary=True)
    return target


def columns_of(alternatives: Sequence[Sequence[ColumnTest]]) -> list[ColumnTest]:
    """Return one test of each column that is tested, in the order in which they come."""
    found: dict[int, ColumnTest] = {}
    for every in alternatives:
        for test in every:
            found.setdefault(test.leaf.column_index, test)
    return list(found.values())
