"""What can be held: acquired and released, under a token that proves it to others."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from hocket.client.client import Client
from hocket.client.coordination.errors import CoordinationRefused, LockLost, NotHeld
from hocket.client.coordination.primitive import (
    Call,
    NamedPrimitive,
    check_timeout,
    finish_nothing,
    reply_of,
)
from hocket.core.errors import HocketError, PeerLost
from hocket.protocol.messages import GrantGiven, LookAt, Primitive, ReleaseGrant, StateTold

if TYPE_CHECKING:
    from hocket.client.shell.coordinating import Ask
    from hocket.client.shell.session import ClientSession
    from hocket.client.states import Request

__all__ = ["Holding"]


class Holding(NamedPrimitive, ABC):
    """What locks and semaphores have in common; see there."""

    def __init__(
        self,
        name: str | None = None,
        client: Client | None = None,
        *,
        asynchronous: bool | None = None,
    ) -> None:
        super().__init__(name, client, asynchronous=asynchronous)
        self._guard = threading.Lock()
        #: What was acquired by this object, each under a session.
        self._held: list[tuple[int, ClientSession]] = []

    @property
    def fencing_token(self) -> int:
        """The number under which it is held: greater than that of every holder before.

        Hand it to whatever the lock protects, and have that refuse numbers less than the greatest
        that it has seen: then nobody who has lost the lock can do harm, however late.

        Raises
        ------
        NotHeld
            This object has not acquired it.
        LockLost
            It is known that it is not held any more. (That it is still held, only `check` can
            tell.)
        """
        token, session = self._latest()
        self._raise_if_lost(token, session)
        return token

    def check(self) -> Any:
        """Return the fencing token if it is held at this moment, as the scheduler says.

        Raises
        ------
        NotHeld
            This object has not acquired it.
        LockLost
            It is not held any more.
        """
        token, session = self._latest()
        self._raise_if_lost(token, session)

        def finish(request: Request | None) -> int:
            if not reply_of(request, StateTold).numbers[0]:
                raise self._lost(token, session, "the scheduler has taken it back")
            return token

        return self._run(
            lambda number, *_: LookAt(number, Primitive.GRANT, "", token),
            finish,
            self._call_about(token, session),
        )

    def release(self) -> Any:
        """Let go of it.

        Raises
        ------
        NotHeld
            This object has not acquired it.
        LockLost
            It was not held any more: others may have held it meanwhile.
        """
        token, session = self._take_latest()
        return self._run(_release(token), finish_nothing, self._call_about(token, session))

    def _acquire(self, ask: Ask, timeout: float | None, *, blocking: bool = True) -> Any:
        return self._run(*self._acquiring(ask, timeout, blocking=blocking))

    def _acquiring(
        self, ask: Ask, timeout: float | None, *, blocking: bool = True
    ) -> tuple[Ask, Any, Call]:
        timeout_s = check_timeout(timeout) if blocking else 0.0
        session = self._session()

        def finish(request: Request | None) -> bool:
            if request is None:
                return False
            with self._guard:
                self._held.append((reply_of(request, GrantGiven).token, session))
            return True

        return ask, finish, Call(timeout_s, session)

    @abstractmethod
    def _asking(self) -> Ask:
        """Return what asks for it, in a ``with`` statement."""

    def __enter__(self) -> Self:
        if self.asynchronous:
            raise TypeError(f"{self!r} is asynchronous; write 'async with'")
        self._acquire(self._asking(), None)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self.release()
        except LockLost as lost:
            if error is None:
                raise
            # What went wrong inside matters more.
            error.add_note(str(lost))

    async def __aenter__(self) -> Self:
        await self._run_in_loop(*self._acquiring(self._asking(), None))
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        token, session = self._take_latest()
        try:
            await self._run_in_loop(
                _release(token), finish_nothing, self._call_about(token, session)
            )
        except LockLost as lost:
            if error is None:
                raise
            error.add_note(str(lost))

    def _latest(self) -> tuple[int, ClientSession]:
        with self._guard:
            if not self._held:
                raise NotHeld(what=self._what)
            return self._held[-1]

    def _take_latest(self) -> tuple[int, ClientSession]:
        token, session = self._latest()
        with self._guard:
            self._held.remove((token, session))
        self._raise_if_lost(token, session)
        return token, session

    def _raise_if_lost(self, token: int, session: ClientSession) -> None:
        machine = session.machine
        if machine.closed is not None or token in machine.revoked:
            raise self._lost(token, session, "")

    def _lost(self, token: int, session: ClientSession, reason: str) -> LockLost:
        machine = session.machine
        closed = machine.closed
        reason = machine.revoked.get(token, reason)
        if closed is not None:
            reason = f"the session of its client is over ({closed})"
        return LockLost(what=self._what, token=token, reason=reason)

    def _call_about(self, token: int, session: ClientSession) -> Call:
        def translate(error: HocketError) -> HocketError:
            if isinstance(error, LockLost | PeerLost | CoordinationRefused):
                return self._lost(token, session, error.reason)
            return error

        return Call(session=session, translate=translate)


def _release(token: int) -> Ask:
    return lambda number, *_: ReleaseGrant(number, token)
