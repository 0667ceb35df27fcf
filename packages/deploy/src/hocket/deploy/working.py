"""Workers as processes of their own, under one command: which cluster, what names, how long."""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from hocket.core.errors import HandshakeRefused, HocketError, SettingsError
from hocket.core.name_lists import split_names
from hocket.core.resource_names import GPU
from hocket.core.settings import Settings
from hocket.deploy.arguments import check_resources
from hocket.deploy.supervising import supervise
from hocket.deploy.worker_names import job_id, worker_name
from hocket.protocol.credentials import parse_secret
from hocket.protocol.invitation import Invitation
from hocket.protocol.roles import Role
from hocket.transport.clock import monotonic, now
from hocket.transport.joining import find_invitation, only_known_cluster
from hocket.worker.gpus import pinning, share_of
from hocket.worker.shell import LOST_SCHEDULER, find_gpus, run_worker

__all__ = ["end_of_life", "margin_of", "parse_resources", "serve_workers"]

log = logging.getLogger("hocket.deploy")

#: A worker whose end nobody has set begins to leave in the last part of its life.
_MARGIN_PART_MAX: Final = 0.25
#: What a process exits with that cannot do what it was told (EX_CONFIG, of sysexits.h).
_UNFIT: Final = 78


def serve_workers(address: str | None, settings: Settings, tell: Callable[[str], None]) -> int:
    """Run the workers of one command; return its exit code.

    Parameters
    ----------
    address
        Of the scheduler; None: it stands in the settings, or there is but one that is known.
    settings
        ``worker`` says what they are, ``security`` and ``client`` how to join.
    tell
        Called with each line for people.

    Raises
    ------
    SettingsError
        A setting cannot be obeyed, or there is no such cluster.
    HandshakeRefused
        The secret at hand lets no worker in.
    """
    own = settings.worker
    started_s = monotonic()
    resources = parse_resources(own.resources)
    lasts_s = end_of_life(own.lifetime_s, os.environ, now())
    end_s = started_s + lasts_s
    margin_s = margin_of(own.lifetime_margin_s, own.lifetime_s, lasts_s)
    settings = replace(settings, worker=replace(own, lifetime_margin_s=margin_s))
    offered = resources.get(GPU)
    gpus = find_gpus(
        own,
        offered=None if offered is None else math.ceil(offered * own.count),
        holder=_holder(settings),
    )
    invitation = find_invitation(address, settings, wait_s=own.connect_timeout_s)
    if invitation is None:
        invitation = only_known_cluster(settings)
    parse_secret(invitation.secret).require(Role.WORKER, invitation.address)
    command_pid = os.getpid()
    # Functions that users import from files beside their scripts.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)

    def run(index: int, restarts: int) -> int:
        name = _name(settings, command_pid, index, restarts)
        share = share_of(gpus, index, own.count)
        if gpus:
            # Before anything is imported that looks; so each process sees its own and no other.
            os.environ.update(pinning(share, os.environ))
        return _work(invitation, name, settings, resources, share, end_s, tell)

    if own.count == 1 and not own.restart:
        code = run(0, 0)
    else:
        code = supervise(own.count, run, restart=own.restart)
    return 1 if code in (LOST_SCHEDULER, _UNFIT) else code


def _work(
    invitation: Invitation,
    name: str,
    settings: Settings,
    resources: Mapping[str, float],
    gpus: Sequence[str],
    end_s: float,
    tell: Callable[[str], None],
) -> int:
    try:
        return run_worker(
            invitation.address,
            name=name,
            resources=resources,
            gpus=gpus,
            settings=settings,
            secret=invitation.secret,
            ready=lambda place: tell(f"worker {name} at {place}"),
            end_s=end_s,
        )
    except (HocketError, OSError) as error:
        log.error("worker %s cannot work: %s", name, error)  # noqa: TRY400 (the words say all)
        refused = isinstance(error, HandshakeRefused | SettingsError)
        return _UNFIT if refused else LOST_SCHEDULER


def _holder(settings: Settings) -> str:
    """Return who we are, for those who want a GPU that we have."""
    job = job_id(os.environ)
    name = f" for {settings.worker.name}" if settings.worker.name else ""
    return f"process {os.getpid()}{f' of job {job}' if job else ''}{name}"


def _name(settings: Settings, pid: int, index: int, restarts: int) -> str:
    own = settings.worker
    if own.name:
        several = f"-{index}" if own.count > 1 else ""
        return own.name + several + (f".{restarts}" if restarts else "")
    return worker_name(
        group=own.group,
        environment=os.environ,
        host=socket.gethostname(),
        pid=pid,
        index=index,
        restarts=restarts,
    )


def end_of_life(lifetime_s: float, environment: Mapping[str, str], now_s: float) -> float:
    """Return in how many seconds a worker ends: by its settings, or by when its job is killed.

    Parameters
    ----------
    lifetime_s
        Of the settings; may be infinite.
    environment
        Variables of the process, in which Slurm says when the job ends.
    now_s
        The time, in seconds since the epoch.
    """
    text = environment.get("SLURM_JOB_END_TIME", "")
    if text.isascii() and text.isdecimal():
        return min(lifetime_s, max(int(text) - now_s, 0.0))
    return lifetime_s


def margin_of(margin_s: float, lifetime_s: float, lasts_s: float) -> float:
    """Return how long before its end a worker leaves.

    Parameters
    ----------
    margin_s, lifetime_s
        Of the settings.
    lasts_s
        How long it lives: that lifetime, or until its job is killed.

    Raises
    ------
    SettingsError
        The margin is not less than the lifetime, so that it would leave at once.
    """
    if math.isinf(lifetime_s):
        # Nobody who set the margin knew of an end.
        return min(margin_s, lasts_s * _MARGIN_PART_MAX)
    if margin_s >= lifetime_s:
        raise SettingsError(
            name="worker.lifetime_margin_s",
            value=margin_s,
            allowed=f"it must be less than worker.lifetime_s, {lifetime_s:g}: workers begin to"
            " leave so long before their end",
            source="the settings",
        )
    return margin_s


def parse_resources(text: str) -> dict[str, float]:
    """Return amounts by name, from text such as ``GPU=2,license=0.5``.

    Raises
    ------
    SettingsError
        It is not of this form, or an amount is negative.
    """
    amounts: dict[str, float] = {}
    for part in split_names(text):
        name, separator, amount = (piece.strip() for piece in part.partition("="))
        try:
            amounts[name] = float(amount)
        except ValueError:
            amounts[name] = math.nan
        if not (separator and name and math.isfinite(amounts[name])):
            raise SettingsError(
                name="worker.resources",
                value=text,
                allowed=f"{part!r} is not of the form NAME=AMOUNT, as in GPU=2,license=0.5",
                source="the settings",
            )
    return check_resources(amounts)
