"""``hocket doctor``: who reaches whom, whose clock, versions and limits are wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from hocket.deploy.cli.clusters import client_of, cluster_flags, cluster_of, may_act, observer_of
from hocket.deploy.cli.options import setting_flag

if TYPE_CHECKING:
    from hocket.client.client import Client
    from hocket.deploy.probing import Probe

__all__ = ["command"]

_HERE = "this host"


@click.command("doctor")
@cluster_flags
@setting_flag("--timeout", "command.probe_timeout_s", "TIME")
def command(settings_file: str | None, overrides: tuple[str, ...]) -> int:
    """Find out what is wrong with a cluster: from here, and from each worker.

    It tries all addresses of the scheduler and of the workers from everywhere, and compares
    versions, clocks and limits. The exit code is 1 if a link is broken.
    """
    invitation, settings = cluster_of(settings_file, overrides)
    timeout_s = settings.command.probe_timeout_s
    from hocket.core.errors import PeerError  # noqa: PLC0415 (not for --help)
    from hocket.deploy.diagnosis import Severity, diagnose  # noqa: PLC0415
    from hocket.deploy.probing import probe  # noqa: PLC0415

    servers = [("the scheduler", invitation.address, "")]
    probes: dict[str, Probe] = {}
    skews_s: dict[str, float] = {}
    trouble = ""
    try:
        with observer_of(invitation, settings) as observer:
            workers = observer.scheduler_info()["workers"]
        servers += [(f"worker {one['name']}", place, one["host"]) for place, one in workers.items()]
        probes[_HERE] = probe(servers, timeout_s)
        if may_act(invitation):
            with client_of(invitation, settings) as client:
                _ask_workers(client, servers, timeout_s, probes, skews_s)
        elif workers:
            click.echo("warning: workers are not asked, since ours is but an observer's key")
    except PeerError as error:
        trouble = str(error)
        probes.setdefault(_HERE, probe(servers, timeout_s))
    here = probes[_HERE]
    click.echo(f"this host is {here.host}, with {', '.join(here.networks) or 'no network'}")
    for place, reason in here.ways["the scheduler"].items():
        took_ms = 1000 * here.took_s["the scheduler"][place]
        click.echo(f"the scheduler at {place}: {reason or f'reached in {took_ms:.1f} ms'}")
    if trouble:
        click.echo(f"broken: {trouble}")
    findings = diagnose(probes, skews_s)
    for finding in findings:
        click.echo(f"{finding.severity.value}: {finding.text}")
    return int(bool(trouble) or any(one.severity is Severity.BROKEN for one in findings))


def _ask_workers(
    client: Client,
    servers: list[tuple[str, str, str]],
    timeout_s: float,
    probes: dict[str, Probe],
    skews_s: dict[str, float],
) -> None:
    """Have each worker look for itself."""
    from hocket.deploy.probing import probe  # noqa: PLC0415

    names = {place: name for name, place, _ in servers}
    began_s = time.time()
    found = client.run(time.time, on_error="return")
    half_s = (time.time() - began_s) / 2
    for place, time_s in found.items():
        if isinstance(time_s, float):
            skews_s[names.get(place, place)] = _beyond(time_s - began_s - half_s, half_s)
    for place, one in client.run(probe, servers, timeout_s, on_error="return").items():
        name = names.get(place, place)
        if isinstance(one, BaseException):
            click.echo(f"warning: {name} cannot look for itself: {one}")
        else:
            probes[name] = one


def _beyond(skew_s: float, doubt_s: float) -> float:
    """Return what of a difference between clocks is no doubt of the measurement."""
    if abs(skew_s) <= doubt_s:
        return 0.0
    return skew_s - doubt_s if skew_s > 0 else skew_s + doubt_s
