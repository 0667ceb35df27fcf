"""The settings of workers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from hocket.core.setting_kinds import Count, Nbytes, Part, Ports, Seconds, Switch, Text
from hocket.core.settings_section import Section
from hocket.core.units import KIB, MIB

__all__ = ["WorkerSettings"]


@dataclass(frozen=True, slots=True, repr=False)
class WorkerSettings(Section):
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
            " job was assigned, or else free ones of this host; 'none'; a number of those; names"
            " such as '0,1'; or '1 of 0,1,2,3'."
        ),
    ] = "auto"
    gpu_lock_directory: Annotated[
        str,
        Text(
            "Where workers lock GPUs that no batch system assigned: a directory of this host, for"
            " users who share it to agree on; 'auto': one that is the user's own; empty: none is"
            " locked."
        ),
    ] = "auto"
    gpu_wait_s: Annotated[
        float, Seconds("How long a worker waits for GPUs that others have locked.")
    ] = 30.0
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
    memory_target: Annotated[
        float,
        Part(
            "Part of its memory limit that results on a worker may take before those of them that"
            " it used least recently go into files; 1: they never do because of that.",
            least=0.01,
        ),
    ] = 0.6
    memory_spill: Annotated[
        float,
        Part(
            "Part of its memory limit above which its process, all in all, makes results go into"
            " files, until it is down to `worker.memory_target`; 1: never because of that.",
            least=0.01,
        ),
    ] = 0.7
    spill: Annotated[
        bool,
        Switch(
            "Whether results may go into files at all where memory is short; if not, a worker only"
            " pauses."
        ),
    ] = True
    spill_nbytes_min: Annotated[
        int, Nbytes("Smaller results stay in memory: a file for each would not pay.", least=1)
    ] = 64 * KIB
    spill_nbytes_max: Annotated[
        int, Nbytes("Bytes that a worker may have in such files; 0 for no limit.")
    ] = 0
    spill_free_nbytes_min: Annotated[
        int, Nbytes("Bytes that stay free on the disk: nothing is put into files beyond that.")
    ] = 512 * MIB
    local_directory: Annotated[
        str,
        Text(
            "Where workers make directories for such files, best on a fast disk of the host's own;"
            " empty: where temporary files go."
        ),
    ] = ""
    report_interval_s: Annotated[
        float, Seconds("Time between two reports of a worker's load.", least=0.01)
    ] = 2.0
