"""How a process finds the cluster that it is to join: by what its user said or left for it."""

from __future__ import annotations

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.core.settings_file import read_secret
from hocket.protocol.invitation import Invitation, from_token, is_token
from hocket.transport.known_clusters import find_cluster_of, known_clusters
from hocket.transport.scheduler_file import read_scheduler_file, wait_scheduler_file

__all__ = ["find_invitation", "only_known_cluster"]


def find_invitation(
    address: str | None,
    settings: Settings,
    *,
    scheduler_file: str | None = None,
    wait_s: float = 0.0,
) -> Invitation | None:
    """Return how to join the cluster that is meant; None if nothing says which.

    Parameters
    ----------
    address
        The scheduler's address or a token, as the user gave it, if so.
    settings
        ``client`` and ``security`` are used where nothing else is given.
    scheduler_file
        A scheduler file, as the user gave it, if so.
    wait_s
        How long to wait for a scheduler file that is not there yet.

    Raises
    ------
    SettingsError
        What was given is no address, token or scheduler file; or both were given.
    """
    if address and scheduler_file:
        raise SettingsError(
            name="scheduler_file",
            value=scheduler_file,
            allowed=f"the address {address!r} was given as well; give one of them",
            source="code",
        )
    if not address and not scheduler_file:
        address = settings.security.token or settings.client.address
        scheduler_file = "" if address else settings.client.scheduler_file
    if scheduler_file:
        if wait_s:
            return wait_scheduler_file(scheduler_file, wait_s)
        return read_scheduler_file(scheduler_file)
    if not address:
        return None
    if is_token(address):
        return from_token(address)
    secret = read_secret(settings.security).decode()
    if not secret:
        found = find_cluster_of(settings.security.directory, address)
        if found is not None:
            return found
    return Invitation(cluster="", addresses=[address], secret=secret)


def only_known_cluster(settings: Settings) -> Invitation:
    """Return the one cluster of this user that is known here.

    Raises
    ------
    SettingsError
        There is none, or more than one.
    """
    known = known_clusters(settings.security.directory)
    if len(known) == 1:
        return known[0]
    places = ", ".join(invitation.addresses[0] for invitation in known)
    problem = f"there are several, say which: {places}" if known else "no scheduler was started"
    raise SettingsError(
        name="address",
        value="",
        allowed=f"{problem}; give an address, or a scheduler file",
        source="the command line",
    )
