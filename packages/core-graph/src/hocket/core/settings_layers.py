"""The layers that settings come from: a YAML file's text, environment variables, mappings in code.

Each function here turns one layer into parsed values by their dotted names, and blames what is
wrong on its source. None of them reads anything: text and variables are handed in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import Kind, Scalar, Words
from hocket.core.units import MIB

__all__ = [
    "ENVIRONMENT_PREFIX",
    "FILE_VARIABLE",
    "Kinds",
    "SettingValue",
    "values_of_environment",
    "values_of_file",
    "values_of_mapping",
]

#: Every environment variable that begins so must name a setting.
ENVIRONMENT_PREFIX: Final = "HOCKET_"

#: But for those of the Parquet library, which has its own and may be used beside the engine.
_OTHERS_PREFIX: Final = "HOCKET_PARQUET_"

#: Names the settings file; the one variable with the prefix that is no setting.
FILE_VARIABLE: Final = "HOCKET_SETTINGS_FILE"

#: The kind of every setting, by section and name.
Kinds = Mapping[str, Mapping[str, Kind]]

_FILE_LENGTH_MAX: Final = MIB
_NAME_LENGTH_MAX: Final = 200


class SettingValue(NamedTuple):
    """A parsed value and where it comes from."""

    value: Scalar
    source: str


class _Given(NamedTuple):
    """A name and a value as a layer gave them."""

    dotted: str
    value: object
    source: str


def values_of_mapping(
    mapping: Mapping[str, object], kinds: Kinds, source: str
) -> dict[str, SettingValue]:
    """Return what nested mappings or dotted names give.

    Raises
    ------
    SettingsError
        A name is unknown or stands there twice, or its value is wrong.
    """
    return _parsed(_from_mapping(mapping, kinds, source), kinds)


def values_of_environment(environment: Mapping[str, str], kinds: Kinds) -> dict[str, SettingValue]:
    """Return what the variables ``HOCKET_SECTION__NAME`` give; others are passed over.

    Raises
    ------
    SettingsError
        A variable begins with `ENVIRONMENT_PREFIX` and names no setting, or its value is wrong.
    """
    return _parsed(_from_environment(environment, kinds), kinds)


def values_of_file(text: str, kinds: Kinds, file_name: str) -> dict[str, SettingValue]:
    """Return what the text of a YAML file gives; errors name the line.

    Raises
    ------
    SettingsError
        The text is not YAML, or a name is unknown or stands there twice, or its value is wrong.
    """
    return _parsed(_from_file(text, kinds, file_name), kinds)


def _parsed(given: Iterable[_Given], kinds: Kinds) -> dict[str, SettingValue]:
    """Return the parsed values of one layer; a name that stands there twice is an error."""
    values: dict[str, SettingValue] = {}
    for dotted, value, source in given:
        section, _, name = dotted.partition(".")
        if name not in kinds.get(section, {}):
            raise _unknown(dotted, source, [*_dotted_names(kinds), *kinds])
        kind = kinds[section][name]
        if dotted in values:
            raise SettingsError(
                name=dotted,
                value=Words("set twice") if kind.secret else value,
                allowed=f"it is set before, by {values[dotted].source}; remove one of the two",
                source=source,
            )
        values[dotted] = SettingValue(kind.parse(value, dotted, source), source)
    return values


def _from_mapping(mapping: Mapping[str, object], kinds: Kinds, source: str) -> Iterator[_Given]:
    """Yield what code gave, as nested mappings or dotted names or both."""
    for name, value in mapping.items():
        if not isinstance(name, str):
            raise _unknown(repr(name), source, _dotted_names(kinds))
        if name not in kinds:
            yield _Given(name, value, source)
            continue
        if not isinstance(value, Mapping):
            raise _not_a_section(name, value, kinds, source)
        for inner, inner_value in value.items():
            yield _Given(f"{name}.{inner}", inner_value, source)


def _from_environment(environment: Mapping[str, str], kinds: Kinds) -> Iterator[_Given]:
    """Yield what variables gave: HOCKET_SECTION__NAME=value."""
    variables = {
        ENVIRONMENT_PREFIX + dotted.replace(".", "__").upper(): dotted
        for dotted in _dotted_names(kinds)
    }
    for variable, value in environment.items():
        name = variable.upper()
        if not name.startswith(ENVIRONMENT_PREFIX) or name.startswith(_OTHERS_PREFIX):
            continue
        if variable == FILE_VARIABLE:
            continue
        if variable not in variables:
            raise _unknown(variable, "the environment", [*variables, FILE_VARIABLE])
        yield _Given(variables[variable], value, f"the environment variable {variable}")


def _from_file(text: str, kinds: Kinds, file_name: str) -> Iterator[_Given]:
    """Yield what a YAML file gave, each with its line."""
    # Most processes read no file, and this import takes as long as all of theirs.
    import yaml  # noqa: PLC0415

    if len(text) > _FILE_LENGTH_MAX:
        allowed = f"a settings file has at most {_FILE_LENGTH_MAX} characters"
        raise SettingsError(name="(all)", value=Words("read"), allowed=allowed, source=file_name)

    loader = None
    fault = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return
        for name, node, source in _yaml_pairs(loader, root, "(all)", kinds, file_name):
            if name in kinds:
                for inner, inner_node, inner_source in _yaml_pairs(
                    loader, node, name, kinds, file_name
                ):
                    value = _yaml_value(loader, inner_node)
                    yield _Given(f"{name}.{inner}", value, inner_source)
            else:
                yield _Given(name, _yaml_value(loader, node), source)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, SettingsError):
            raise
        fault = _not_yaml(error, file_name)
    finally:
        if loader is not None:
            loader.dispose()
    if fault is not None:
        # Out here it has no context: the reader's error quotes the file, and a pickle may carry it.
        raise fault


def _not_yaml(error: Exception, file_name: str) -> SettingsError:
    """Return what is wrong and where, without the file's own words: one may be a secret."""
    mark = getattr(error, "problem_mark", None)
    place = file_name if mark is None else f"{file_name}, line {mark.line + 1}"
    problem = str(getattr(error, "problem", None) or type(error).__name__)
    problem = re.sub("'[^<].{2,}'", "'...'", problem, flags=re.DOTALL)
    return SettingsError(
        name="(all)", value=Words("read"), allowed=f"it is not YAML: {problem}", source=place
    )


def _yaml_pairs(
    loader: Any, node: Any, section: str, kinds: Kinds, file_name: str
) -> Iterator[tuple[str, Any, str]]:
    """Yield the names of a mapping, the nodes of their values, and where they stand."""
    import yaml  # noqa: PLC0415

    if isinstance(node, yaml.ScalarNode) and loader.construct_object(node) is None:
        return  # A section with nothing under it.
    if not isinstance(node, yaml.MappingNode):
        value = _yaml_value(loader, node)
        raise _not_a_section(section, value, kinds, f"{file_name}, line {node.start_mark.line + 1}")
    for name_node, value_node in node.value:
        source = f"{file_name}, line {name_node.start_mark.line + 1}"
        yield str(_yaml_value(loader, name_node)), value_node, source


def _yaml_value(loader: Any, node: Any) -> object:
    """Return a scalar's value; of anything else only what it is, since no setting can be that."""
    import yaml  # noqa: PLC0415

    if isinstance(node, yaml.ScalarNode):
        return loader.construct_object(node)
    return Words("a list" if isinstance(node, yaml.SequenceNode) else "a mapping")


def _dotted_names(kinds: Kinds) -> list[str]:
    return [f"{section}.{name}" for section, names in kinds.items() for name in names]


def _not_a_section(name: str, value: object, kinds: Kinds, source: str) -> SettingsError:
    shown = Words("what it is (hidden)") if name == "security" else value
    allowed = "it must be a mapping of settings to values"
    if name in kinds:
        allowed = f"it is a section with the settings {', '.join(kinds[name])}"
    return SettingsError(name=name, value=shown, allowed=allowed, source=source)


def _unknown(name: str, source: str, known: Iterable[str]) -> SettingsError:
    """Return the error for a name that is no setting's, with those that it resembles."""
    near = difflib.get_close_matches(name[:_NAME_LENGTH_MAX], known, n=2, cutoff=0.8)
    if not near:
        # Perhaps the right name in the wrong section, or without one.
        by_last: dict[str, list[str]] = {}
        for each in known:
            by_last.setdefault(_last_part(each), []).append(each)
        last = _last_part(name[-_NAME_LENGTH_MAX:])
        near = [
            each
            for match in difflib.get_close_matches(last, by_last, n=2, cutoff=0.75)
            for each in by_last[match]
        ]
    hint = f"did you mean {' or '.join(near)}?" if near else "docs/settings.md lists them all"
    # The value stays out of the error: it may be a secret under a misspelt name.
    return SettingsError(
        name=name, value=Words("set"), allowed=f"there is no such setting; {hint}", source=source
    )


def _last_part(name: str) -> str:
    return name.replace("__", ".").rpartition(".")[2].lower()
