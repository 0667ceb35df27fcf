"""The settings of the engine: one typed, frozen tree, and how it is put together.

A value comes from the highest of four layers that names it: the defaults here, a YAML file,
environment variables, code. Each layer speaks of the same names::

    worker:                                   # file (``worker.threads: 4`` does as well)
      inline_nbytes_max: 64 KiB
    HOCKET_WORKER__INLINE_NBYTES_MAX=64KiB    # environment
    {"worker": {"inline_nbytes_max": 65536}}  # code, or {"worker.inline_nbytes_max": ...}

Nothing here reads a file or the environment: they are handed in. `hocket.core.settings_file` does
the reading. There is no global tree: who needs settings gets them as an argument.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self, get_type_hints

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import Kind, Scalar
from hocket.core.settings_layers import (
    ENVIRONMENT_PREFIX,
    FILE_VARIABLE,
    SettingValue,
    values_of_environment,
    values_of_file,
    values_of_mapping,
)
from hocket.core.settings_sections import (
    ClientSettings,
    CommandSettings,
    DiagnosticsSettings,
    JobsSettings,
    LocalSettings,
    SchedulerSettings,
    SecuritySettings,
    SessionSettings,
    TransportSettings,
    WorkerSettings,
    section_kinds,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "FILE_VARIABLE",
    "ClientSettings",
    "CommandSettings",
    "DiagnosticsSettings",
    "JobsSettings",
    "LocalSettings",
    "SchedulerSettings",
    "SecuritySettings",
    "SessionSettings",
    "Settings",
    "TransportSettings",
    "WorkerSettings",
    "setting_kinds",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; made by `Settings.build`, or from sections where some are to be set in code."""

    transport: TransportSettings = field(default_factory=TransportSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    security: SecuritySettings = field(default_factory=SecuritySettings)
    client: ClientSettings = field(default_factory=ClientSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    local: LocalSettings = field(default_factory=LocalSettings)
    jobs: JobsSettings = field(default_factory=JobsSettings)
    command: CommandSettings = field(default_factory=CommandSettings)
    diagnostics: DiagnosticsSettings = field(default_factory=DiagnosticsSettings)

    def __post_init__(self) -> None:
        _check_pairs(self, {})

    @classmethod
    def build(
        cls,
        file_text: str | None = None,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
        *,
        file_name: str = "the settings file",
    ) -> Self:
        """Return the settings that the layers add up to, the later over the earlier.

        Parameters
        ----------
        file_text
            YAML: sections that hold settings, or dotted names.
        environment
            Variables; those that do not begin with `ENVIRONMENT_PREFIX` are passed over.
        overrides
            From code: nested mappings or dotted names.
        file_name
            How errors call the file.

        Raises
        ------
        SettingsError
            A name is unknown, or given twice in one layer, or its value is wrong. The error says
            which, from which layer, and what was perhaps meant.
        """
        kinds = setting_kinds()
        values: dict[str, SettingValue] = {}
        if file_text is not None:
            values.update(values_of_file(file_text, kinds, file_name))
        values.update(values_of_environment(environment or {}, kinds))
        values.update(values_of_mapping(overrides or {}, kinds, "code"))
        return cls._from_values(values)

    def to_flat(self) -> dict[str, Scalar]:
        """Return every setting by its dotted name, for a child process.

        The secret is among them, so hand them over on a pipe, never on a command line.
        """
        return {
            f"{section}.{name}": getattr(getattr(self, section), name)
            for section, kinds in setting_kinds().items()
            for name in kinds
        }

    @classmethod
    def from_flat(cls, flat: Mapping[str, object]) -> Self:
        """Return the settings that `to_flat` wrote; what is missing has its default.

        Raises
        ------
        SettingsError
            A name is unknown or its value is wrong.
        """
        return cls._from_values(values_of_mapping(flat, setting_kinds(), "the parent process"))

    @classmethod
    def _from_values(cls, values: Mapping[str, SettingValue]) -> Self:
        sections: dict[str, dict[str, Any]] = {name: {} for name in setting_kinds()}
        for dotted, (value, _) in values.items():
            section, _, name = dotted.partition(".")
            sections[section][name] = value
        types = {name: section_type for section_type, name in _section_names().items()}
        settings = cls.__new__(cls)
        for name, given in sections.items():
            object.__setattr__(settings, name, types[name](**given))
        # Not through __init__, so that a pair that does not fit is blamed on its true source.
        _check_pairs(settings, {dotted: source for dotted, (_, source) in values.items()})
        return settings


#: Pairs of settings of which the first may not be greater than the second.
_ORDERED: Final = (
    ("session.keepalive_s", "session.silent_s"),
    ("session.ack_nbytes", "session.unacknowledged_nbytes_max"),
    ("scheduler.window_tasks_min", "scheduler.window_tasks_max"),
    ("client.inline_argument_nbytes_max", "transport.frame_nbytes_max"),
    ("worker.inline_nbytes_max", "transport.frame_nbytes_max"),
)


@functools.cache
def setting_kinds() -> Mapping[str, Mapping[str, Kind]]:
    """Return the kind of every setting by section and name, in the order of their definition."""
    return {
        section: section_kinds(section_type) for section_type, section in _section_names().items()
    }


@functools.cache
def _section_names() -> Mapping[type[Any], str]:
    hints = get_type_hints(Settings)
    return {hints[each.name]: each.name for each in fields(Settings)}


def _check_pairs(settings: Settings, sources: Mapping[str, str]) -> None:
    """Refuse values that are right alone and wrong together."""
    for lesser, greater in _ORDERED:
        low, high = _get(settings, lesser), _get(settings, greater)
        if low > high:
            # Blame the one that somebody set; the other is perhaps a default.
            blamed = lesser if lesser in sources or greater not in sources else greater
            section, _, name = blamed.partition(".")
            kind = setting_kinds()[section][name]
            other = greater if blamed == lesser else lesser
            relation = "more" if blamed == lesser else "less"
            raise SettingsError(
                name=blamed,
                value=kind.format(_get(settings, blamed)),
                allowed=f"it may not be {relation} than {other}, which is"
                f" {kind.format(_get(settings, other))}",
                source=sources.get(blamed, "code"),
            )
    if settings.security.secret and settings.security.secret_file:
        raise SettingsError(
            name="security.secret_file",
            value=settings.security.secret_file,
            allowed="security.secret is set as well; leave one of them empty",
            source=sources.get("security.secret_file", "code"),
        )


def _get(settings: Settings, dotted: str) -> Any:
    section, _, name = dotted.partition(".")
    return getattr(getattr(settings, section), name)
