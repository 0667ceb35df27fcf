"""``hocket token``: a cluster's invitation as one word, for where no files are shared."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from hocket.deploy.cli.clusters import cluster_flags, cluster_of
from hocket.deploy.cli.options import setting_flag

if TYPE_CHECKING:
    from hocket.protocol.invitation import Invitation

__all__ = ["command"]

_LOOK_S: Final = 0.05
_LOOKS_MAX: Final = 100


@click.command("token")
@setting_flag("--role", "command.role", "client|worker|observer")
@click.option(
    "--replace",
    is_flag=True,
    help="First have the scheduler make another secret; on its host only. Processes that are"
    " connected are told; words and files from before are good for security.rotation_grace_s yet.",
)
@cluster_flags
def command(
    settings_file: str | None,
    overrides: tuple[str, ...],
    *,
    replace: bool,
) -> int:
    """Print a word that lets its bearer join: where the scheduler is, its key, and a secret.

    Put it into the variable HOCKET_SECURITY__TOKEN on the other host, or into Client(...), and
    never on a command line, which everybody on a host can read.
    """
    invitation, settings = cluster_of(settings_file, overrides)
    if replace:
        _have_replaced(invitation)
        invitation = _renewed(lambda: cluster_of(settings_file, overrides)[0], invitation)
    import msgspec  # noqa: PLC0415 (not for --help)

    from hocket.protocol.credentials import parse_secret  # noqa: PLC0415
    from hocket.protocol.invitation import to_token  # noqa: PLC0415
    from hocket.protocol.roles import Role  # noqa: PLC0415
    from hocket.transport.tls import pin_of  # noqa: PLC0415

    credentials = parse_secret(invitation.secret)
    wanted = Role[settings.command.role.upper()]
    credentials.require(wanted, invitation.address)
    secret = credentials.to_text(wanted, pin_of(invitation.secret))
    click.echo(to_token(msgspec.structs.replace(invitation, secret=secret)))
    return 0


def _have_replaced(invitation: Invitation) -> None:
    """Ask the scheduler for another secret."""
    if invitation.pid and invitation.host == socket.gethostname():
        try:
            os.kill(invitation.pid, signal.SIGUSR1)
        except OSError as error:
            raise click.ClickException(
                f"the scheduler's process {invitation.pid} cannot be told: {error.strerror}"
            ) from None
        return
    where = f"on {invitation.host}, its host" if invitation.host else "where it was started"
    raise click.ClickException(
        f"a scheduler replaces its secret at a signal: run this {where}, with its scheduler file"
    )


def _renewed(look: Callable[[], Invitation], before: Invitation) -> Invitation:
    """Wait until the scheduler has written its new secret; return the new invitation."""
    for _ in range(_LOOKS_MAX):
        invitation = look()
        if invitation.secret != before.secret:
            return invitation
        time.sleep(_LOOK_S)
    raise click.ClickException(
        f"the scheduler, process {before.pid}, has not replaced its secret in"
        f" {_LOOKS_MAX * _LOOK_S:g} s; its log says more"
    )
