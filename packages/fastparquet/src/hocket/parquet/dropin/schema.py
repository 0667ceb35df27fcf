"""The schema as fastparquet shows it: the elements of the footer, and questions about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hocket.parquet.errors import ColumnMissing, CorruptFile
from hocket.parquet.metadata.schema import Repetition

__all__ = ["SchemaHelper"]


class SchemaHelper:
    """The elements of a schema.

    Parameters
    ----------
    schema_elements
        As the footer has them: each before its children, the root first.
    """

    def __init__(self, schema_elements: Sequence[Any]) -> None:
        self.schema_elements = list(schema_elements)
        self.root = self.schema_elements[0]
        self.schema_elements_by_name = {each.name: each for each in self.schema_elements}
        self._tree = _Tree(iter(self.schema_elements))

    @property
    def text(self) -> str:
        """The tree as lines of text."""
        return "\n".join(self._tree.lines(""))

    def schema_element(self, name: str | Sequence[str]) -> Any:
        """Return an element.

        Parameters
        ----------
        name
            Its path, as names or with dots between them.
        """
        return self._way(name)[-1].element

    def is_required(self, name: str | Sequence[str]) -> bool:
        """Return whether an element, and all above it, are always there.

        Parameters
        ----------
        name
            Its path.
        """
        return self.max_definition_level(name) == 0

    def max_repetition_level(self, parts: str | Sequence[str]) -> int:
        """Return how many elements on the way to one are repeated, itself counted.

        Parameters
        ----------
        parts
            Its path.
        """
        repeated = Repetition.REPEATED
        return sum(each.element.repetition_type == repeated for each in self._way(parts))

    def max_definition_level(self, parts: str | Sequence[str]) -> int:
        """Return how many elements on the way to one may be missing, itself counted.

        Parameters
        ----------
        parts
            Its path.
        """
        required = Repetition.REQUIRED
        return sum(each.element.repetition_type != required for each in self._way(parts))

    def _way(self, name: str | Sequence[str]) -> list[_Tree]:
        names = name.split(".") if isinstance(name, str) else list(name)
        at, way = self._tree, []
        for part in names:
            if part not in at.children:
                raise ColumnMissing(
                    f"there is no {part!r} in the schema; there are {', '.join(at.children)}",
                    column=".".join(names),
                )
            at = at.children[part]
            way.append(at)
        return way or [at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SchemaHelper) and self.schema_elements == other.schema_elements

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Parquet Schema with {len(self.schema_elements)} entries>"


class _Tree:
    """An element and its children by name."""

    def __init__(self, elements: Iterator[Any]) -> None:
        element = next(elements, None)
        if element is None:
            raise CorruptFile("the schema has groups that want more children")
        self.element: Any = element
        self.children: Mapping[str, _Tree] = {
            child.element.name: child
            for child in (_Tree(elements) for _ in range(self.element.num_children or 0))
        }

    def lines(self, indent: str) -> list[str]:
        """Return the text of the element and of those below it."""
        told = [f"{indent}- {self.element.name}: {', '.join(_words(self.element))}"]
        last = len(self.children) - 1
        for at, child in enumerate(self.children.values()):
            told += child.lines(indent + ("  " if at == last else "| "))
        return told


def _words(element: Any) -> list[str]:
    """Return the types of an element by their names in the format."""
    from hocket.parquet.metadata.generated import ttypes  # noqa: PLC0415 - takes long to import

    words = []
    if element.type is not None:
        words.append(ttypes.Type._VALUES_TO_NAMES[element.type])  # noqa: SLF001 - Thrift made it so
    if element.logicalType is not None:
        kind, told = _member(element.logicalType)
        unit = _member(told.unit)[0] if kind == "TIMESTAMP" else ""
        words.append(f"{kind}[{unit}]" if unit else kind)
    if element.converted_type is not None:
        words.append(ttypes.ConvertedType._VALUES_TO_NAMES[element.converted_type])  # noqa: SLF001
    if element.repetition_type is not None:
        words.append(Repetition(element.repetition_type).name)
    return words


def _member(union: Any) -> tuple[str, Any]:
    """Return the member of a union that is set."""
    names = [each[2] for each in union.thrift_spec if each is not None]
    members = ((name, getattr(union, name)) for name in names)
    return next((each for each in members if each[1] is not None), ("", None))
