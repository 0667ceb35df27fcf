"""Verbs that look into a cluster: how it is named on the command line, and the client that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from hocket.core.settings import Settings
from hocket.deploy.cli.options import (
    given,
    refuse_token,
    setting_flag,
    settings_flags,
    settings_of,
)

if TYPE_CHECKING:
    from hocket.client.client import Client
    from hocket.deploy.observing import Observer
    from hocket.protocol.invitation import Invitation

__all__ = ["client_of", "cluster_flags", "cluster_of", "may_act", "observer_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def cluster_flags(command: _Command) -> _Command:
    """Add the flags that say which cluster is meant."""
    command = settings_flags(command)
    command = setting_flag("--secret-file", "security.secret_file", "FILE")(command)
    command = setting_flag("--scheduler-file", "client.scheduler_file", "FILE")(command)
    return setting_flag("--address", "client.address", "ADDRESS")(command)


def cluster_of(
    settings_file: str | None, overrides: tuple[str, ...]
) -> tuple[Invitation, Settings]:
    """Return how to join the cluster that flags mean, and the settings.

    Raises
    ------
    SettingsError
        There is none, or more than one.
    """
    from hocket.transport.joining import (  # noqa: PLC0415 (not for --help)
        find_invitation,
        only_known_cluster,
    )

    # (A flag goes before all that the environment says, also before a token there.)
    address = given("client.address")
    refuse_token(address)
    settings = settings_of(settings_file, overrides)
    invitation = find_invitation(address, settings, scheduler_file=given("client.scheduler_file"))
    return invitation or only_known_cluster(settings), settings


@contextmanager
def client_of(invitation: Invitation, settings: Settings) -> Iterator[Client]:
    """Connect to a cluster for as long as a question takes."""
    from hocket.client.client import Client  # noqa: PLC0415 (not for --help)

    with Client(invitation.address, secret=invitation.secret, settings=settings) as client:
        yield client


def observer_of(invitation: Invitation, settings: Settings) -> Observer:
    """Return what looks into a cluster; an observer's key is enough for it."""
    from hocket.deploy.observing import Observer  # noqa: PLC0415 (not for --help)

    return Observer(invitation, settings)


def may_act(invitation: Invitation) -> bool:
    """Tell whether the key at hand is more than an observer's, so that workers can be asked."""
    from hocket.protocol.credentials import parse_secret  # noqa: PLC0415 (not for --help)
    from hocket.protocol.roles import Role  # noqa: PLC0415

    return not invitation.secret or parse_secret(invitation.secret).has(Role.CLIENT)
