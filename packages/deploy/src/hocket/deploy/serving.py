"""A scheduler as a process of its own: where it listens, who may come in, how it is found."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.core.settings_file import read_secret
from hocket.protocol.credentials import parse_secret
from hocket.protocol.invitation import Invitation
from hocket.protocol.roles import Role
from hocket.scheduler.shell import run_scheduler
from hocket.transport.address import parse
from hocket.transport.interfaces import advertise, host_networks, interface_host
from hocket.transport.known_clusters import forget_cluster, remember_cluster
from hocket.transport.scheduler_file import remove_scheduler_file, write_scheduler_file

__all__ = ["invite", "listening_address", "serve_scheduler"]

log = logging.getLogger("hocket.deploy")

_SECRET_NBYTES: Final = 32


def listening_address(host: str, interface: str, port: str) -> str:
    """Return the address to listen on that settings ask for.

    Raises
    ------
    SettingsError
        There is no such interface.
    """
    if interface:
        host = interface_host(interface, host_networks())
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def serve_scheduler(settings: Settings, tell: Callable[[str], None]) -> None:
    """Run a scheduler until SIGTERM or SIGINT, findable by others meanwhile.

    Parameters
    ----------
    settings
        ``scheduler`` says where it listens and which file it leaves, ``security`` who may come in.
    tell
        Called with each line for people.

    Raises
    ------
    SettingsError
        A setting cannot be obeyed.
    OSError
        The address cannot be had.
    """
    own = settings.scheduler
    address = listening_address(own.host, own.interface, own.port)
    secret = read_secret(settings.security).decode() or secrets.token_hex(_SECRET_NBYTES)
    cluster = secrets.token_hex(8)
    place = ""

    def ready(listening: str) -> None:
        nonlocal place
        place = listening
        invitation = invite(place, cluster, secret, os.getpid())
        _leave(settings, invitation)
        for one in invitation.addresses:
            tell(f"scheduler at {one}")
        if own.scheduler_file:
            tell(f"scheduler file {own.scheduler_file}")

    def replaced(renewed: str) -> None:
        _leave(settings, invite(place, cluster, renewed, os.getpid()))
        log.info("the secret was replaced")

    try:
        run_scheduler(
            [address],
            settings=settings,
            secret=secret,
            cluster_id=cluster,
            ready=ready,
            replaced=replaced,
        )
    finally:
        forget_cluster(settings.security.directory, cluster)
        if own.scheduler_file:
            remove_scheduler_file(own.scheduler_file, cluster)


def invite(listening: str, cluster: str, secret: str, pid: int = 0) -> Invitation:
    """Return the invitation of workers and clients to a scheduler.

    Parameters
    ----------
    listening
        Where it listens, perhaps on all networks of this host.
    cluster, secret
        The cluster's id and its secret, of which only a worker's key is handed on.
    pid
        Of the scheduler, if it is a process of its own; see `Invitation`.
    """
    places = advertise(parse(listening), host_networks())
    return Invitation(
        cluster=cluster,
        addresses=[str(place) for place in places],
        secret=parse_secret(secret).to_text(Role.WORKER) if secret else "",
        host=socket.gethostname() if pid else "",
        pid=pid,
    )


def _leave(settings: Settings, invitation: Invitation) -> None:
    """Leave the invitation where it is looked for."""
    if settings.scheduler.scheduler_file:
        write_scheduler_file(settings.scheduler.scheduler_file, invitation)
    if settings.security.directory:
        try:
            remember_cluster(settings.security.directory, invitation)
        except SettingsError as error:
            if not settings.scheduler.scheduler_file:
                raise
            log.warning("the cluster is found by its scheduler file alone: %s", error)
