"""Calls in the scheduler's process: only what is permitted, and each is answered once."""

from __future__ import annotations

import asyncio

import pytest
from scheduler_house import CLIENT, House

from hocket.protocol.feed import decode_plain, encode_plain
from hocket.protocol.messages import CallScheduler, RequestRefused, SchedulerCalled
from hocket.scheduler.permitted_calls import PermittedCall
from hocket.scheduler.shell.calling import PermittedCaller

DIVIDE = "operator:truediv"
NOTHING = encode_plain([[], {}], "arguments")


def house_that_permits(*functions: str, waits_max: int = 1000) -> House:
    return House(permitted_functions=frozenset(functions), waits_max=waits_max)


def test_a_call_goes_to_the_shell_and_its_value_to_the_client() -> None:
    house = house_that_permits(DIVIDE)
    house.say(CLIENT, CallScheduler(7, DIVIDE, b"arguments"))
    assert CLIENT not in house.turn()
    (call,) = house.machine.calls.take()
    assert call[1:] == (DIVIDE, b"arguments")
    assert house.machine.calls.take() == []
    house.machine.calls.returned(call.number, b"value", "")
    house.machine.calls.returned(call.number, b"again", "")
    assert house.turn()[CLIENT] == [SchedulerCalled(7, b"value", "")]


@pytest.mark.parametrize("permitted", [(), ("os:getpid",)])
def test_what_is_not_permitted_is_refused(permitted: tuple[str, ...]) -> None:
    house = house_that_permits(*permitted)
    house.say(CLIENT, CallScheduler(7, DIVIDE, b""))
    (answer,) = house.turn()[CLIENT]
    assert isinstance(answer, RequestRefused)
    assert (permitted[0] if permitted else "none") in answer.reason
    assert house.machine.calls.take() == []


def test_calls_are_bounded() -> None:
    house = house_that_permits(DIVIDE, waits_max=2)
    house.say(CLIENT, *(CallScheduler(number, DIVIDE, b"") for number in range(3)))
    (answer,) = house.turn()[CLIENT]
    assert isinstance(answer, RequestRefused)
    assert answer.request == 2
    assert len(house.machine.calls.take()) == 2


def test_a_client_that_leaves_is_forgotten() -> None:
    house = house_that_permits(DIVIDE)
    house.say(CLIENT, CallScheduler(7, DIVIDE, b""))
    house.turn()
    (first,) = house.machine.calls.take()
    house.say(CLIENT, CallScheduler(8, DIVIDE, b""))
    house.machine.peer_lost(CLIENT, "gone", house.now_s)
    assert house.machine.calls.take() == []
    house.machine.calls.returned(first.number, b"value", "")
    assert CLIENT not in house.turn()


def outcome_of(function: str, arguments: bytes) -> tuple[bytes | None, str]:
    """Make a call as the shell does."""

    async def run() -> tuple[bytes | None, str]:
        returned: asyncio.Future[tuple[bytes | None, str]]
        returned = asyncio.get_running_loop().create_future()
        caller = PermittedCaller(
            lambda number, value, error: returned.set_result((value, f"{number}: {error}"))
        )
        caller.call([PermittedCall(3, function, arguments)])
        try:
            return await asyncio.wait_for(returned, 20)
        finally:
            caller.close()

    return asyncio.run(run())


def test_the_shell_calls_by_name() -> None:
    value, error = outcome_of(DIVIDE, encode_plain([[1, 4], {}], "arguments"))
    assert value is not None
    assert (decode_plain(value), error) == (0.25, "3: ")
    value, _ = outcome_of("threading:current_thread", NOTHING)
    assert value is None


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (DIVIDE, encode_plain([[1, 0], {}], "arguments"), "ZeroDivisionError: division by zero"),
        ("operator:nothing", NOTHING, "AttributeError"),
        ("no_such_module:f", NOTHING, "ModuleNotFoundError"),
        ("sys:exit", NOTHING, "SystemExit"),
        ("threading:current_thread", NOTHING, "only plain data"),
        (DIVIDE, b"\xc1", "SerializationError"),
        (DIVIDE, encode_plain([1], "arguments"), "a list and a dict"),
        (DIVIDE, encode_plain([{}, []], "arguments"), "a list and a dict"),
    ],
)
def test_what_goes_wrong_is_told_in_words(function: str, arguments: bytes, words: str) -> None:
    value, error = outcome_of(function, arguments)
    assert value is None
    assert words in error
