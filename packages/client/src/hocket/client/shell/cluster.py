"""Which cluster a client belongs to: an address, a cluster object, or a local one of its own."""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.transport.joining import find_invitation

__all__ = ["ENTRY_POINT_GROUP", "FoundCluster", "find_cluster"]

#: Where packages name what makes a local cluster.
ENTRY_POINT_GROUP: Final = "hocket.clusters"


class FoundCluster(NamedTuple):
    """Where to connect."""

    address: str
    secret: str
    #: A cluster that is to be closed with the client; None: it is somebody else's.
    owned: Any


def find_cluster(address_or_cluster: Any, secret: str | None, settings: Settings) -> FoundCluster:
    """Return where to connect; starts a local cluster if nothing is given.

    Parameters
    ----------
    address_or_cluster
        An address, a token, the path of a scheduler file, an object with ``address`` and
        ``secret``, or None.
    secret
        The cluster's; None: that of the cluster object, of the settings, or what the scheduler has
        left for its user.
    settings
        Of the client, and of the cluster if one is started.

    Raises
    ------
    SettingsError
        It is none of these, or there is no package that makes local clusters.
    """
    owned = None
    cluster = address_or_cluster
    if cluster is None or isinstance(cluster, str | os.PathLike):
        if isinstance(cluster, os.PathLike):
            invitation = find_invitation(None, settings, scheduler_file=os.fspath(cluster))
        else:
            invitation = find_invitation(cluster, settings)
        if invitation is not None:
            given = invitation.secret if secret is None else secret
            return FoundCluster(invitation.address, given, None)
    if cluster is None:
        cluster = owned = _start_local(settings)
    address = getattr(cluster, "address", None)
    if not isinstance(address, str):
        raise SettingsError(
            name="address",
            value=address_or_cluster,
            allowed="an address like tcp://host:port, or a cluster",
            source="Client()",
        )
    return FoundCluster(address, secret if secret is not None else cluster.secret, owned)


def _start_local(settings: Settings) -> Any:
    # Imported here: who gives an address need not wait for it.
    from importlib.metadata import entry_points  # noqa: PLC0415

    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        return entry_point.load()(settings=settings)
    raise SettingsError(
        name="address",
        value=None,
        allowed="nothing here makes local clusters: give an address, or pip install hocket-deploy",
        source="Client()",
    )
