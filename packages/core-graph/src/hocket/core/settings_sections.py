"""The sections of the settings tree: names, defaults, bounds, and what each setting is for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, Literal, get_type_hints

from hocket.core.setting_kinds import (
    Choice,
    Count,
    Kind,
    Nbytes,
    Part,
    Ports,
    Seconds,
    Switch,
    Text,
)
from hocket.core.units import GIB, KIB, MIB

__all__ = [
    "ClientSettings",
    "DiagnosticsSettings",
    "LocalSettings",
    "SchedulerSettings",
    "SecuritySettings",
    "SessionSettings",
    "TransportSettings",
    "WorkerSettings",
    "section_kinds",
]


class _Section:
    """What all sections share: values are checked when one is made, secrets are not shown."""

    __slots__ = ()

    def __post_init__(self) -> None:
        section = type(self).__name__.removesuffix("Settings").lower()
        for name, kind in section_kinds(type(self)).items():
            value = kind.parse(getattr(self, name), f"{section}.{name}", "code")
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        kinds = section_kinds(type(self))
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

    tls: Annotated[
        Literal["auto", "on", "off"],
        Choice(
            "Whether connections are encrypted: 'auto' where other hosts can reach a server, 'on'"
            " also within this host, 'off' nowhere.",
            options=("auto", "on", "off"),
        ),
    ] = "auto"

    secret: Annotated[
        str, Text("The cluster's secret, equal in all its processes; empty for none.", secret=True)
    ] = ""
    secret_file: Annotated[
        str,
        Text("A file that holds the secret, readable by its owner only; empty for none."),
    ] = ""
    rotation_grace_s: Annotated[
        float,
        Seconds("How long a secret that was replaced is still good, for those who were not told."),
    ] = 3600.0
    token: Annotated[
        str,
        Text(
            "What `hocket token` has printed: addresses and secret of the cluster to join.",
            secret=True,
        ),
    ] = ""
    directory: Annotated[
        str,
        Text(
            "Where schedulers of their own leave their addresses and secrets for what the same user"
            " starts; empty: nowhere."
        ),
    ] = "~/.hocket"


@dataclass(frozen=True, slots=True, repr=False)
class ClientSettings(_Section):
    """Which scheduler a client belongs to, what it sends, and how."""

    address: Annotated[
        str,
        Text(
            "The scheduler that `Client()` and the command connect to; empty: one of their own, or"
            " that of `client.scheduler_file`."
        ),
    ] = ""
    scheduler_file: Annotated[
        str,
        Text("The file in which a scheduler has written how to reach it; empty for none."),
    ] = ""

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
    """Where the scheduler listens, and how it hands out tasks."""

    host: Annotated[
        str,
        Text(
            "Where a scheduler of its own listens: a name or number of this host, or 0.0.0.0 for"
            " all of its networks. The default lets nobody in from other hosts."
        ),
    ] = "127.0.0.1"
    interface: Annotated[
        str,
        Text("The network interface (such as ib0) to listen on, in place of a host; empty: none."),
    ] = ""
    port: Annotated[
        str,
        Ports("The port to listen on, or a range of which the first free one is taken."),
    ] = "8786-8885"
    scheduler_file: Annotated[
        str,
        Text(
            "A file for others to find the scheduler by, with the secret in it, for its owner's"
            " eyes only; empty: none is written."
        ),
    ] = ""

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
    """Where a worker listens, how it runs tasks and keeps their results."""

    host: Annotated[
        str,
        Text(
            "Where a worker's data can be had: a name or number of its host; empty: on the network"
            " that leads to the scheduler, and beside it by a socket that only this host has."
        ),
    ] = ""
    interface: Annotated[
        str,
        Text("The network interface (such as ib0) for its data, in place of a host; empty: none."),
    ] = ""
    port: Annotated[
        str,
        Ports("The port for its data, or a range of which the first free one is taken."),
    ] = "0"
    name: Annotated[
        str,
        Text("What a worker is called; empty: made from its job's id, or its host and process."),
    ] = ""
    group: Annotated[
        str, Text("The kind of worker that it is one of; its name begins with it.")
    ] = "worker"
    resources: Annotated[
        str, Text("What a worker offers that tasks may reserve, such as 'GPU=2,license=0.5'.")
    ] = ""
    gpus: Annotated[
        str,
        Text(
            "The GPUs of `hocket worker`, shared out among its workers: 'auto' for those that its"
            " job was assigned, or else those that are there; 'none'; a number of those; or names"
            " such as '0,1'."
        ),
    ] = "auto"
    lifetime_s: Annotated[
        float,
        Seconds(
            "How long a worker of its own may live: before that is over it hands on what it holds"
            " and ends.",
            infinite=True,
        ),
    ] = math.inf
    lifetime_margin_s: Annotated[
        float,
        Seconds("How long before its time is over a worker takes no more tasks and begins to go."),
    ] = 60.0
    count: Annotated[
        int, Count("Workers that one `hocket worker` runs, each a process.", least=1, most=10_000)
    ] = 1
    restart: Annotated[
        bool, Switch("Whether `hocket worker` starts a worker that died once more.")
    ] = True
    connect_timeout_s: Annotated[
        float,
        Seconds(
            "How long a worker of its own waits for its scheduler, or for the scheduler file.",
            least=0.001,
        ),
    ] = 60.0

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
class DiagnosticsSettings(_Section):
    """The pages of scheduler and workers, which a browser shows."""

    enabled: Annotated[
        bool,
        Switch("Whether scheduler and workers have pages, if hocket-diagnostics is installed."),
    ] = True
    host: Annotated[
        str,
        Text(
            "Where their servers listen: '127.0.0.1' for this host only; an address that others can"
            " reach, such as '0.0.0.0', asks everybody to log in."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Count("The port of the scheduler's server; 0 for any that is free.", most=65_535)
    ] = 0
    worker_port: Annotated[
        int,
        Count(
            "The port of a worker's server; 0 for any that is free, as several workers on a host"
            " need.",
            most=65_535,
        ),
    ] = 0
    login: Annotated[
        Literal["auto", "always"],
        Choice(
            "Who logs in: 'auto' asks for it where other hosts can connect, 'always' everywhere.",
            options=("auto", "always"),
        ),
    ] = "auto"
    hosts: Annotated[
        str, Text("Further names by which proxies call this host, separated by commas.")
    ] = ""
    prefix: Annotated[
        str,
        Text(
            "A path before that of every page, for proxies that keep theirs, such as '/user/ann'."
        ),
    ] = ""
    pages: Annotated[
        str,
        Text("Modules with pages of your own, separated by commas; imported when somebody looks."),
    ] = ""


@dataclass(frozen=True, slots=True, repr=False)
class LocalSettings(_Section):
    """A cluster on this host."""

    start_timeout_s: Annotated[
        float, Seconds("How long the processes of a cluster may take to start.", least=0.001)
    ] = 30.0
    restart_workers: Annotated[
        bool, Switch("Whether a worker process that died is started again.")
    ] = True


_kinds: Final[dict[type[Any], Mapping[str, Kind]]] = {}


def section_kinds(section_type: type[Any]) -> Mapping[str, Kind]:
    """Return the kind of every setting of a section by name, in the order of their definition."""
    found = _kinds.get(section_type)
    if found is None:
        hints = get_type_hints(section_type, include_extras=True)
        found = {each.name: hints[each.name].__metadata__[0] for each in fields(section_type)}
        _kinds[section_type] = found
    return found
