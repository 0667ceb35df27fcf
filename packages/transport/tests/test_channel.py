"""Channels over every transport: what is sent arrives, and both ends learn of the end."""

from __future__ import annotations

import asyncio

import pytest

from hocket.core.errors import (
    ConnectFailed,
    HandshakeRefused,
    LimitExceeded,
    LocalProtocolError,
    SettingsError,
)
from hocket.protocol.framing import FrameKind, encode_header
from hocket.protocol.messages import ReleaseKeys, WaitForWorkers, WorkerReport, WorkersReady
from hocket.protocol.roles import Role
from hocket.protocol.versions import OUR_VERSIONS
from hocket.transport import reaching

SCHEMES = ["tcp", "tls", "unix", "inproc"]


def keys(*names: str) -> ReleaseKeys:
    return ReleaseKeys(list(names))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_messages_arrive_in_order_on_both_sides(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        channel, recorder = await house.connect()
        for request in range(100):
            channel.send([WaitForWorkers(request, 0), keys(f"k{request}")])
        await recorder.until(lambda notes: len(notes.messages) == 100)
        assert recorder.messages == [WorkersReady(request, 0) for request in range(100)]
        assert house.recorder.messages[1::2] == [keys(f"k{request}") for request in range(100)]

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_who_is_at_the_other_end(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        channel, _ = await house.connect(name="me", role=Role.WORKER)
        theirs = house.channels[0]
        assert (channel.peer.role, channel.peer.name) == (Role.SCHEDULER, "sched")
        assert (theirs.peer.role, theirs.peer.name) == (Role.WORKER, "me")
        assert channel.peer.session_id == theirs.peer.session_id
        assert channel.peer.versions == theirs.peer.versions == OUR_VERSIONS
        assert (channel.peer.cluster_id, theirs.peer.cluster_id) == ("house", "")
        assert channel.same_host
        assert theirs.same_host
        assert channel.peer.address == house.address
        assert theirs.peer.address.startswith(f"{scheme}://")

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_goodbye_comes_after_what_was_said_and_ends_cleanly(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        channel, recorder = await house.connect()
        channel.send([keys("last")])
        channel.close("enough")
        assert channel.closed
        await house.recorder.until(lambda notes: notes.closed)
        assert house.recorder.messages == [keys("last")]
        assert house.recorder.closed == [("enough", True)]
        assert house.listener.channels == []
        channel.send([keys("too late")])
        channel.close("again")
        await channel.wait_closed()
        assert recorder.closed == []
        assert house.recorder.messages == [keys("last")]

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_listening_side_may_say_goodbye(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        _, recorder = await house.connect()
        house.channels[0].close("go\naway")
        await recorder.until(lambda notes: notes.closed)
        assert recorder.closed == [("go?away", True)]
        assert (recorder.interruptions, recorder.resumptions) == (0, 0)

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_closing_the_listener_closes_its_channels(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        notes = [(await house.connect(name=str(number)))[1] for number in range(3)]
        await house.listener.close("the end")
        for recorder in notes:
            await recorder.until(lambda notes: notes.closed)
            assert recorder.closed == [("the end", True)]
        with pytest.raises(ConnectFailed):
            await house.connect(connect_timeout_s=0.01)

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_sent_when_the_channel_begins_arrives(with_bench, scheme):
    async def test(bench):
        house = await bench.house(
            scheme, on_channel=lambda channel: channel.send([WorkersReady(0, 1)])
        )
        for name in "abc":
            channel, recorder = await house.connect(name=name)
            # Nothing may come before the caller has its channel.
            assert recorder.messages == []
            channel.send([WaitForWorkers(1, 1)])
            await recorder.until(lambda notes: len(notes.messages) == 2)
            assert recorder.messages == [WorkersReady(0, 1), WorkersReady(1, 1)]

    with_bench(test)


def test_a_listener_may_turn_a_peer_away_at_once(with_bench):
    async def test(bench):
        house = await bench.house(on_channel=lambda channel: channel.close("not you"))
        _, recorder = await house.connect()
        await recorder.until(lambda notes: notes.closed)
        assert recorder.closed == [("not you", True)]

    with_bench(test)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_big_batches_go_through_and_others_wait_in_the_session(with_bench, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        channel, recorder = await house.connect()
        sent = [keys(str(number) * 1000) for number in range(9)] * 1000
        # More than the transport's buffer takes, so that writing is paused and resumed.
        for start in range(0, len(sent), 500):
            channel.send(sent[start : start + 500])
        channel.send([WaitForWorkers(1, 1)])
        await recorder.until(lambda notes: notes.messages)
        assert house.recorder.messages == [*sent, WaitForWorkers(1, 1)]

    with_bench(test)


def test_a_goodbye_waits_for_a_backlog(with_bench):
    async def test(bench):
        house = await bench.house()
        channel, _ = await house.connect()
        batch = [keys("k" * 4000)] * 1000
        for _ in range(5):
            channel.send(batch)
        assert channel.unacknowledged_nbytes > 20_000_000
        channel.close()
        await house.recorder.until(lambda notes: notes.closed)
        assert len(house.recorder.messages) == 5000
        assert house.recorder.closed[0][1]

    with_bench(test)


def test_a_batch_over_the_limit_is_the_senders_error(with_bench):
    async def test(bench):
        house = await bench.house(
            transport__frame_nbytes_max=1 << 16, client__inline_argument_nbytes_max=1000
        )
        channel, recorder = await house.connect()
        with pytest.raises(LimitExceeded):
            channel.send([keys("k" * 1000)] * 100)
        channel.send([WaitForWorkers(1, 1)])
        await recorder.until(lambda notes: notes.messages)
        assert house.recorder.messages == [WaitForWorkers(1, 1)]

    with_bench(test)


def test_a_message_that_cannot_be_encoded_is_the_senders_error(with_bench):
    async def test(bench):
        house = await bench.house()
        channel, _ = await house.connect()
        with pytest.raises(LocalProtocolError):
            channel.send([ReleaseKeys([object()])])
        await bench.works(house)
        assert not channel.closed

    with_bench(test)


def test_an_error_in_a_callback_costs_one_channel(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        channel, recorder = await house.connect()

        def fail(channel, messages):
            raise ZeroDivisionError

        house.channels[0].on_messages = fail
        channel.send([keys("k")])
        await recorder.until(lambda notes: notes.closed)
        ((reason, clean),) = recorder.closed
        assert not clean
        assert "internal error" in reason
        assert house.recorder.closed == [("an internal error: ZeroDivisionError()", False)]
        assert len(warnings_logged()) == 1
        await bench.works(house)

    with_bench(test)


def test_an_error_in_on_channel_costs_one_channel(with_bench, warnings_logged):
    async def test(bench):
        def fail(channel):
            if channel.peer.name == "c":
                raise ZeroDivisionError

        house = await bench.house(on_channel=fail)
        _, recorder = await house.connect()
        await recorder.until(lambda notes: notes.closed)
        assert "internal error" in recorder.closed[0][0]
        assert len(warnings_logged()) == 1
        await bench.works(house)

    with_bench(test)


def test_a_channel_may_be_closed_from_within_its_callback(with_bench):
    async def test(bench):
        house = await bench.house()
        channel, recorder = await house.connect()
        house.channels[0].on_messages = lambda channel, messages: channel.close("one is enough")
        for _ in range(10):
            channel.send([keys("k")])
        await recorder.until(lambda notes: notes.closed)
        assert recorder.closed == [("one is enough", True)]

    with_bench(test)


def test_a_peer_that_does_not_keep_up_is_given_up(with_bench):
    async def test(bench):
        house = await bench.house(session__unacknowledged_nbytes_max=1 << 20)
        peer = await bench.raw(house.address, secret="s")
        (channel,) = house.channels
        while not channel.closed:
            # The peer reads nothing and acknowledges nothing.
            channel.send([WorkersReady(number, 0) for number in range(10_000)])
            await asyncio.sleep(0)
        ((reason, clean),) = house.recorder.closed
        assert not clean
        assert "does not keep up" in reason
        assert peer.welcome is not None
        await bench.works(house)

    with_bench(test)


def test_a_silent_peer_is_taken_for_cut_and_then_for_lost(with_bench):
    async def test(bench):
        house = await bench.house(
            session__keepalive_s=0.1, session__silent_s=0.1, session__local_grace_s=0.01
        )
        await bench.raw(house.address, secret="s")
        await house.recorder.until(lambda notes: notes.closed)
        assert house.recorder.interruptions == 1
        ((reason, clean),) = house.recorder.closed
        assert not clean
        assert "silent for 0.1 s" in reason

    with_bench(test)


def test_an_idle_channel_shows_signs_of_life(with_bench):
    async def test(bench):
        house = await bench.house(session__keepalive_s=0.1, session__silent_s=60)
        peer = await bench.raw(house.address, secret="s")
        beat = encode_header(FrameKind.ACKNOWLEDGEMENT, 0, 0, 0)
        assert await peer.reader.readexactly(2 * len(beat)) == 2 * beat

    with_bench(test)


@pytest.mark.parametrize("scheme", [each for each in SCHEMES if each != "tls"])
def test_a_wrong_secret_is_told_to_both(with_bench, warnings_logged, scheme):
    async def test(bench):
        house = await bench.house(scheme)
        with pytest.raises(HandshakeRefused, match="the secrets differ"):
            await house.connect(secret="another")
        (line,) = warnings_logged()
        assert "the secrets differ" in line
        await bench.works(house)
        assert len(house.channels) == 1

    with_bench(test)


def test_a_peer_of_the_wrong_role_is_refused(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        with pytest.raises(HandshakeRefused, match="a scheduler has no use for a scheduler"):
            await house.connect(role=Role.SCHEDULER, peer_role=Role.CLIENT)
        assert house.channels == []
        (line,) = warnings_logged()
        assert "a scheduler has no use for a scheduler" in line
        await bench.works(house)

    with_bench(test)


def test_a_scheduler_that_does_not_say_its_cluster_is_refused(with_bench):
    async def test(bench):
        house = await bench.house()
        house.listener.cluster_id = ""
        with pytest.raises(HandshakeRefused, match="of which cluster"):
            await house.connect()

    with_bench(test)


def test_a_listener_of_the_wrong_role_is_refused(with_bench):
    async def test(bench):
        house = await bench.house(role=Role.WORKER)
        with pytest.raises(HandshakeRefused, match="a worker listens there, not a client"):
            await house.connect(role=Role.SCHEDULER, peer_role=Role.CLIENT)

    with_bench(test)


def test_roles_that_have_nothing_to_say_do_not_connect(with_bench):
    async def test(bench):
        house = await bench.house()
        with pytest.raises(LocalProtocolError):
            await house.connect(role=Role.OBSERVER, peer_role=Role.WORKER)
        with pytest.raises(LocalProtocolError):
            await house.connect(role=Role.WORKER, peer_role=Role.OBSERVER)

    with_bench(test)


def test_a_peer_may_only_say_what_its_role_may_say(with_bench, warnings_logged):
    async def test(bench):
        house = await bench.house()
        channel, recorder = await house.connect()
        channel.send([WorkerReport(1.5, 0, 0.0, 0, 0, 0)])
        await recorder.until(lambda notes: notes.closed)
        ((reason, clean),) = recorder.closed
        assert not clean
        assert "broke the protocol" in reason
        assert len(warnings_logged()) == 1
        assert house.recorder.closed[0][1] is False
        await bench.works(house)

    with_bench(test)


def test_a_name_has_a_limit(with_bench):
    async def test(bench):
        house = await bench.house()
        with pytest.raises(SettingsError):
            await house.connect(name="n" * 300)

    with_bench(test)


def test_connecting_waits_for_a_listener_that_comes_later(with_bench, monkeypatch):
    async def test(bench):
        address = bench.address("unix")
        first = asyncio.Event()
        attempts = []
        real = reaching.connect_socket

        async def counted(address):
            attempts.append(1)
            if len(attempts) == 3:
                first.set()
            return await real(address)

        monkeypatch.setattr(reaching, "connect_socket", counted)

        async def later():
            await first.wait()
            return await bench.house("unix")

        async with asyncio.TaskGroup() as group:
            coming = group.create_task(later())
            # Any house knows how to connect anywhere.
            other = await bench.house("inproc")
            channel, _ = await other.connect(address=address)
        house = coming.result()
        assert channel.peer.session_id == house.channels[0].peer.session_id
        assert len(attempts) > 3

    with_bench(test)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:{port}", "unix://{path}/nobody", "inproc://nobody"]
)
def test_an_address_where_nobody_is_fails_in_time(with_bench, tmp_path, address):
    async def test(bench):
        house = await bench.house()
        port = house.address.rpartition(":")[2]
        await house.listener.close()
        at = address.format(port=port, path=tmp_path)
        with pytest.raises(ConnectFailed) as caught:
            await house.connect(address=at, connect_timeout_s=0.1)
        assert caught.value.address == at
        assert 0.1 <= caught.value.waited_s < 5
        assert caught.value.reason != "no answer"

    with_bench(test)


def test_a_port_that_accepts_and_says_nothing_fails_in_time(with_bench):
    async def test(bench):
        taken = []
        server = await asyncio.start_server(lambda *streams: taken.append(streams), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        house = await bench.house()
        with pytest.raises(ConnectFailed):
            await house.connect(address=f"tcp://127.0.0.1:{port}", connect_timeout_s=0.1)
        server.close()
        for _, writer in taken:
            writer.close()
            await writer.wait_closed()

    with_bench(test)


def test_a_port_of_another_service_is_refused(with_bench):
    async def test(bench):
        gone = asyncio.Event()

        class Web(asyncio.Protocol):
            def connection_made(self, transport):
                transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

            def connection_lost(self, error):
                gone.set()

        server = await asyncio.get_running_loop().create_server(Web, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        house = await bench.house()
        with pytest.raises(HandshakeRefused, match="does not speak hocket"):
            await house.connect(address=f"tcp://127.0.0.1:{port}")
        await gone.wait()
        server.close()

    with_bench(test)
