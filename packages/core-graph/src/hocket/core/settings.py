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
from typing import Annotated, Any, Final, Literal, Self, get_type_hints

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import (
    Choice,
    Count,
    Kind,
    Nbytes,
    Part,
    Scalar,
    Seconds,
    Switch,
    Text,
)
from hocket.core.settings_layers import (
    ENVIRONMENT_PREFIX,
    FILE_VARIABLE,
    SettingValue,
    values_of_environment,
    values_of_file,
    values_of_mapping,
)
from hocket.core.units import GIB, KIB, MIB

__all__ = [
    "ENVIRONMENT_PREFIX",
    "FILE_VARIABLE",
    "ClientSettings",
    "LocalSettings",
    "SchedulerSettings",
    "SecuritySettings",
    "SessionSettings",
    "Settings",
    "TransportSettings",
    "WorkerSettings",
    "setting_kinds",
]


class _Section:
    """What all sections share: values are checked when one is made, secrets are not shown."""

    __slots__ = ()

    def __post_init__(self) -> None:
        section = _section_name(type(self))
        for name, kind in setting_kinds()[section].items():
            value = kind.parse(getattr(self, name), f"{section}.{name}", "code")
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        kinds = setting_kinds()[_section_name(type(self))]
        values = (
            f"{name}={'***' if kind.secret and getattr(self, name) else getattr(self, name)!r}"
            for name, kind in kinds.items()
        )
        return f"{type(self).__name__}({', '.join(values)})"


@dataclass(frozen=True, slots=True, repr=False)
class TransportSettings(_Section):
    """Connections between processes."""

    connect_timeout_s: Annotated[
        float, Seconds("How long to try to reach an address before giving up.", least=0.001)
    ] = 10.0
    frame_nbytes_max: Annotated[
        int,
        Nbytes(
            "The largest frame sent or taken; a peer that claims more is cut off before memory is"
            " allocated.",
            least=64 * KIB,
            most=4 * GIB,
        ),
    ] = 256 * MIB
    handshake_timeout_s: Annotated[
        float, Seconds("How long a new connection may take to prove itself.", least=0.001)
    ] = 5.0
    loop: Annotated[
        Literal["auto", "asyncio", "uvloop"],
        Choice(
            "The event loop; 'auto' takes uvloop where it is installed.",
            options=("auto", "asyncio", "uvloop"),
        ),
    ] = "auto"


@dataclass(frozen=True, slots=True, repr=False)
class SessionSettings(_Section):
    """The resumable session of two peers, which outlives a connection that is cut."""

    grace_s: Annotated[
        float, Seconds("How long a session whose connection was cut may take to resume.")
    ] = 30.0
    local_grace_s: Annotated[
        float, Seconds("The same between processes of one host, where a cut means a death.")
    ] = 1.0
    ack_nbytes: Annotated[
        int, Nbytes("Received bytes after which an acknowledgement is sent.", least=1)
    ] = MIB
    ack_frames: Annotated[
        int, Count("Received frames after which an acknowledgement is sent.", least=1)
    ] = 64
    unacknowledged_nbytes_max: Annotated[
        int,
        Nbytes(
            "Sent bytes kept for a resumption; a peer that leaves more than this unacknowledged is"
            " taken for lost.",
            least=MIB,
        ),
    ] = GIB
    keepalive_s: Annotated[
        float, Seconds("Silence after which a sign of life is sent.", least=0.1)
    ] = 15.0
    silent_s: Annotated[
        float,
        Seconds("Silence after which the peer's connection is taken for cut.", least=0.1),
    ] = 60.0


@dataclass(frozen=True, slots=True, repr=False)
class SecuritySettings(_Section):
    """Who may join. Off loopback a secret is always needed, and no setting changes that."""

    secret: Annotated[
        str, Text("The cluster's secret, equal in all its processes; empty for none.", secret=True)
    ] = ""
    secret_file: Annotated[
        str,
        Text("A file that holds the secret, readable by its owner only; empty for none."),
    ] = ""


@dataclass(frozen=True, slots=True, repr=False)
class ClientSettings(_Section):
    """What a client sends, and how."""

    connect_timeout_s: Annotated[
        float, Seconds("How long a client tries to reach its scheduler.", least=0.001)
    ] = 10.0
    inline_argument_nbytes_max: Annotated[
        int,
        Nbytes(
            "A pickled argument up to this travels with its task; a larger one is stored on a"
            " worker first.",
            most=64 * MIB,
        ),
    ] = MIB
    submit_batch_tasks: Annotated[
        int, Count("Tasks that one message submits at most.", least=1, most=1_000_000)
    ] = 5000
    functions_known_max: Annotated[
        int, Count("Pickled functions that a client remembers, to pickle each once.", least=1)
    ] = 1000


@dataclass(frozen=True, slots=True, repr=False)
class SchedulerSettings(_Section):
    """How the scheduler hands out tasks."""

    allowed_failures: Annotated[
        int,
        Count("Workers that may die under a task before the task is blamed and fails."),
    ] = 3
    window_s: Annotated[
        float,
        Seconds(
            "The commit window: estimated work given to each thread of a worker ahead of time;"
            " 'inf' gives out all that is ready.",
            infinite=True,
        ),
    ] = 0.1
    window_tasks_min: Annotated[
        int, Count("Tasks given to each thread ahead of time, however long they take.", least=1)
    ] = 2
    window_tasks_max: Annotated[
        int, Count("Tasks given to each thread ahead of time, however short they are.", least=1)
    ] = 10_000
    unknown_duration_s: Annotated[
        float,
        Seconds("How long a task is taken to run while none of its kind has run.", least=1e-6),
    ] = 0.01
    placement: Annotated[
        Literal["greedy", "earliest", "round-robin", "random", "idlest"],
        Choice(
            "How a worker is chosen for a task with inputs: 'greedy' weighs waiting against moving"
            " data; the others are for comparison.",
            options=("greedy", "earliest", "round-robin", "random", "idlest"),
        ),
    ] = "greedy"
    memory_part: Annotated[
        float,
        Part(
            "Part of a worker's memory limit up to which it is given tasks that make more data than"
            " they use up; those that use data up are always given.",
            least=0.01,
        ),
    ] = 0.6


@dataclass(frozen=True, slots=True, repr=False)
class WorkerSettings(_Section):
    """How a worker runs tasks and keeps their results."""

    threads: Annotated[
        int, Count("Threads that run tasks; 0 stands for the number of cores.", most=10_000)
    ] = 0
    inline_nbytes_max: Annotated[
        int,
        Nbytes("A pickled result up to this travels with the report of its task.", most=16 * MIB),
    ] = 64 * KIB
    switch_interval_s: Annotated[
        float,
        Seconds(
            "How long a thread may hold the interpreter while another waits for it; short keeps the"
            " event loop quick beside tasks that compute.",
            least=1e-6,
            most=1.0,
        ),
    ] = 0.001
    fetch_connections_max: Annotated[
        int, Count("Connections on which a worker fetches data at once.", least=1)
    ] = 16
    fetch_nbytes_max: Annotated[
        int,
        Nbytes(
            "Bytes asked for in one request; a single larger value has a request to itself.",
            least=1,
        ),
    ] = 64 * MIB
    memory_limit: Annotated[
        int | Literal["auto"],
        Nbytes(
            "Memory that the worker is to stay within; 0 for no limit,"
            " 'auto' for its share of the host's memory by threads.",
            words=("auto",),
        ),
    ] = "auto"
    fetch_nbytes_in_flight_max: Annotated[
        int,
        Nbytes(
            "Bytes that a worker has asked for and not yet got; one request is always allowed.",
            least=1,
        ),
    ] = 256 * MIB
    serve_requests_max: Annotated[
        int,
        Count(
            "Requests for large data that a worker answers at once; others are told who else has"
            " the data, or to come again.",
            least=1,
        ),
    ] = 8
    leave_timeout_s: Annotated[
        float,
        Seconds("How long a worker that was told to end waits for its data to be moved."),
    ] = 10.0
    pause_part: Annotated[
        float,
        Part(
            "Part of its memory limit above which a worker runs one task at a time and asks for no"
            " more; 1 never pauses.",
            least=0.01,
        ),
    ] = 0.8
    report_interval_s: Annotated[
        float, Seconds("Time between two reports of a worker's load.", least=0.01)
    ] = 2.0


@dataclass(frozen=True, slots=True, repr=False)
class LocalSettings(_Section):
    """A cluster on this host."""

    start_timeout_s: Annotated[
        float, Seconds("How long the processes of a cluster may take to start.", least=0.001)
    ] = 30.0
    restart_workers: Annotated[
        bool, Switch("Whether a worker process that died is started again.")
    ] = True


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
    kinds: dict[str, dict[str, Kind]] = {}
    for section_type, section in _section_names().items():
        hints = get_type_hints(section_type, include_extras=True)
        kinds[section] = {
            each.name: hints[each.name].__metadata__[0] for each in fields(section_type)
        }
    return kinds


@functools.cache
def _section_names() -> Mapping[type[Any], str]:
    hints = get_type_hints(Settings)
    return {hints[each.name]: each.name for each in fields(Settings)}


def _section_name(section_type: type[_Section]) -> str:
    return _section_names()[section_type]


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
