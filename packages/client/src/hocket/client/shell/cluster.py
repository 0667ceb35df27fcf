"""Which cluster a client belongs to: an address, a cluster object, or a local one of its own."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.core.settings_file import read_secret

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
        An address, an object with ``address`` and ``secret``, or None.
    secret
        The cluster's; None: that of the cluster object, or of the settings.
    settings
        Of the client, and of the cluster if one is started.

    Raises
    ------
    SettingsError
        It is none of these, or there is no package that makes local clusters.
    """
    if isinstance(address_or_cluster, str):
        if secret is None:
            secret = read_secret(settings.security).decode()
        return FoundCluster(address_or_cluster, secret, None)
    owned = None
    cluster = address_or_cluster
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
