"""The sections of the settings tree: names, defaults, bounds, and what each setting is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from hocket.core.command_settings import CommandSettings
from hocket.core.job_settings import JobsSettings
from hocket.core.setting_kinds import (
    Choice,
    Count,
    Nbytes,
    Part,
    Ports,
    Seconds,
    Switch,
    Text,
)
from hocket.core.settings_section import Section, section_kinds
from hocket.core.units import GIB, KIB, MIB
from hocket.core.worker_settings import WorkerSettings

__all__ = [
    "ClientSettings",
    "CommandSettings",
    "DiagnosticsSettings",
    "JobsSettings",
    "LocalSettings",
    "SchedulerSettings",
    "SecuritySettings",
    "SessionSettings",
    "TransportSettings",
    "WorkerSettings",
    "section_kinds",
]


@dataclass(frozen=True, slots=True, repr=False)
class TransportSettings(Section):
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
class SessionSettings(Section):
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
class SecuritySettings(Section):
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
class ClientSettings(Section):
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
class SchedulerSettings(Section):
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
    consumers: Annotated[
        str,
        Text(
            "Event consumers that a scheduler starts, each as a process that looks on, as"
            " package.module:Class with commas between; empty: none."
        ),
    ] = ""
    clients_may_end: Annotated[
        bool,
        Switch(
            "Whether a client may end the cluster that knows no more of it than the address"
            " (Client.shutdown)."
        ),
    ] = True
    permitted_functions: Annotated[
        str,
        Text(
            "Functions that a client may have called in the scheduler's process"
            " (Client.run_on_scheduler), as package.module:name, with commas; empty: none."
        ),
    ] = ""


@dataclass(frozen=True, slots=True, repr=False)
class DiagnosticsSettings(Section):
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
    tls: Annotated[
        Literal["auto", "on", "off"],
        Choice(
            "Where pages are served under TLS: 'auto' where other hosts can connect, 'on'"
            " everywhere, 'off' nowhere.",
            options=("auto", "on", "off"),
        ),
    ] = "auto"
    certificate_file: Annotated[
        str,
        Text(
            "A certificate (PEM, with those between it and its authority) for pages under TLS;"
            " empty: each server makes one, which browsers ask about."
        ),
    ] = ""
    key_file: Annotated[
        str, Text("The certificate's private key; empty: it is in the same file.")
    ] = ""
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
class LocalSettings(Section):
    """A cluster on this host."""

    workers: Annotated[int, Count("Its workers; 0: as many as suit the machine.", most=10_000)] = 0
    threads: Annotated[
        int, Count("Threads of each worker; 0: as many as suit the machine.", most=10_000)
    ] = 0
    start_timeout_s: Annotated[
        float, Seconds("How long the processes of a cluster may take to start.", least=0.001)
    ] = 30.0
    restart_workers: Annotated[
        bool, Switch("Whether a worker process that died is started again.")
    ] = True
