"""Data sets: values with futures in them that outlive the client, by name, for all clients.

Each is a variable of the cluster; what is published is kept until it is taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from hocket.client.shell.session import ClientSession
from hocket.client.shell.ways import apart, waits
from hocket.core.errors import DuplicateKey, UnknownKey
from hocket.protocol.messages import ListVariables, VariablesListed

if TYPE_CHECKING:
    from hocket.client.client import Client
    from hocket.client.coordination.lock import Lock
    from hocket.client.coordination.variable import Variable

__all__ = ["Publisher"]

_PREFIX: Final = "dataset "


class Publisher:
    """What a client can leave for others; a part of `Client`."""

    _session: ClientSession

    @waits
    async def publish_dataset(
        self, /, *values: Any, name: str | None = None, override: bool = False, **named: Any
    ) -> None:
        """Leave values with the cluster, by name.

        Futures, however deep in them, keep their values on the cluster; large things go in as
        futures (`Client.scatter`).

        Parameters
        ----------
        *values, name
            One value and its name.
        override
            Whether to replace what has the name.
        **named
            Values by their names.

        Raises
        ------
        DuplicateKey
            Something has the name.
        CoordinationRefused
            A value is too large.
        """
        if len(values) != (name is not None):
            raise TypeError("give one value and name=..., or values by keyword")
        if name is not None:
            named = {name: values[0], **named}
        for each, value in named.items():
            await apart(self._publish, each, value, override=override)

    @waits
    async def get_dataset(self, /, name: str, **default: Any) -> Any:
        """Return what was published; futures in it are this client's.

        Parameters
        ----------
        name
            As it was published.
        default
            What to return if there is none.

        Raises
        ------
        UnknownKey
            There is none, and no default.
        """
        try:
            return await apart(self._dataset(name)[0].get, timeout=0)
        except TimeoutError:
            if "default" in default:
                return default["default"]
        raise UnknownKey(key=name)

    @waits
    async def list_datasets(self) -> list[str]:
        """Return the names of what is published, in the order in which it was."""
        reply = await self._session.ask(
            VariablesListed, lambda number: ListVariables(number, _PREFIX)
        )
        return [name.removeprefix(_PREFIX) for name in reply.names]

    @waits
    async def unpublish_dataset(self, name: str) -> None:
        """Take back what was published; nothing happens if nothing was."""
        await apart(self._dataset(name)[0].delete)

    def _publish(self, name: str, value: Any, *, override: bool) -> None:
        variable, lock = self._dataset(name)
        # So that of two who publish at once, one is refused.
        with lock:
            if not override and variable.is_set():
                raise DuplicateKey(key=name)
            variable.set(value, fence=lock)

    def _dataset(self, name: str) -> tuple[Variable, Lock]:
        # Imported here: they are made of clients.
        from hocket.client.coordination.lock import Lock  # noqa: PLC0415
        from hocket.client.coordination.variable import Variable  # noqa: PLC0415

        client = cast("Client", self)
        full = f"{_PREFIX}{name}"
        return (
            Variable(full, client, asynchronous=False),
            Lock(full, client, asynchronous=False),
        )
