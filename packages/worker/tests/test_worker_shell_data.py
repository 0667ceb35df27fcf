"""A worker's data: fetched from other workers, fetched by them, scattered by clients."""

from __future__ import annotations

import asyncio

from hocket.core.settings import Settings
from hocket.protocol.messages import (
    DataReply,
    FailureKind,
    FetchData,
    InputsMissing,
    PeerBusy,
    ReplicasStored,
    TasksReturned,
)
from hocket.protocol.serialize import (
    load_value,
)


def double(x):
    return x * 2


class Unpicklable:
    def __init__(self, error=TypeError):
        self.error = error

    def __reduce__(self):
        raise self.error("not me")

    def __repr__(self):
        return "<an unpicklable " + "x" * 1000


def make_unpicklable(error=TypeError):
    return Unpicklable(error)


def test_inputs_are_fetched_from_other_workers(with_scheduler, scheme, reference):
    async def scenario(scheduler):
        ann = await scheduler.add_worker()
        await scheduler.add_worker()
        first = scheduler.task(bytes, 200_000, key="first", wanted=0)
        second = scheduler.task(double, "ab", key="second", wanted=0)
        await scheduler.run(first)
        await scheduler.run(second)
        inputs = [
            ("first", first.attempts[0], [ann.address]),
            ("second", second.attempts[0], [ann.address]),
        ]
        message = scheduler.task(
            lambda sizes, text: (len(sizes["deep"][0]), text),
            {"deep": [reference("first")]},
            text=reference("second"),
            key="sum",
            inputs=inputs,
        )
        assert load_value(await scheduler.result(message, to=1)) == (200_000, "abab")
        (stored,) = scheduler.of(ReplicasStored)
        assert set(zip(stored.keys, stored.attempts, strict=True)) == {
            (key, attempt) for key, attempt, _ in inputs
        }

    with_scheduler(scenario, scheme)


def test_what_was_fetched_can_be_fetched_on(with_scheduler, reference):
    async def scenario(scheduler):
        ann = await scheduler.add_worker()
        bob = await scheduler.add_worker()
        source = scheduler.task(list, "abc", key="source", wanted=0)
        await scheduler.run(source)
        inputs = [("source", source.attempts[0], [ann.address])]
        reader = scheduler.task(len, reference("source"), inputs=inputs)
        assert load_value(await scheduler.result(reader, to=1)) == 3
        reply, values = await scheduler.fetch(bob.address, "source")
        assert values == [["a", "b", "c"]]
        assert reply.attempts == source.attempts

    with_scheduler(scenario)


def test_a_holder_that_is_not_there(with_scheduler, reference):
    async def scenario(scheduler):
        ann = await scheduler.add_worker()
        nobody = "unix:///nobody/is/here"
        inputs = [("gone", 7, [nobody])]
        message = scheduler.task(len, reference("gone"), inputs=inputs)
        assert isinstance(await scheduler.result(message), TasksReturned)
        (missing,) = scheduler.of(InputsMissing)
        assert (missing.keys, missing.attempts) == (["gone"], [7])
        assert (missing.address, missing.gone) == (nobody, False)
        bob = await scheduler.add_worker()
        message = scheduler.task(len, reference("gone"), inputs=[("gone", 7, [bob.address])])
        assert isinstance(await scheduler.result(message), TasksReturned)
        missing = scheduler.of(InputsMissing)[-1]
        assert (missing.keys, missing.address, missing.gone) == (["gone"], bob.address, True)
        del ann

    with_scheduler(scenario)


def test_a_value_that_cannot_leave_its_worker(with_scheduler, reference):
    async def scenario(scheduler):
        ann = await scheduler.add_worker()
        await scheduler.add_worker()
        odd = scheduler.task(make_unpicklable, SystemExit, key="odd", wanted=0)
        fine = scheduler.task(double, 1, key="fine", wanted=0)
        await scheduler.run(odd)
        await scheduler.run(fine)
        reply, values = await scheduler.fetch(ann.address, "odd", "fine")
        assert values == [None, 2]
        assert "'odd'" in reply.errors[0]
        assert "Unpicklable" in reply.errors[0]
        assert reply.attempts == [odd.attempts[0], fine.attempts[0]]
        inputs = [("odd", odd.attempts[0], [ann.address])]
        failure = await scheduler.result(
            scheduler.task(repr, reference("odd"), inputs=inputs), to=1
        )
        assert failure.kind is FailureKind.SERIALIZATION
        assert failure.key == "odd"
        assert "Unpicklable" in failure.text

    with_scheduler(scenario)


def test_scattered_values_are_inputs_of_attempt_0(with_scheduler, scheme, reference):
    async def scenario(scheduler):
        worker = await scheduler.add_worker()
        reply = await scheduler.put(worker.address, x=bytes(100_000), y=[1, 2])
        assert len(reply.nbytes) == 2
        assert reply.nbytes[0] >= 100_000
        message = scheduler.task(
            lambda x, y: (len(x), sum(y)),
            reference("x"),
            reference("y"),
            inputs=[("x", 0, [worker.address]), ("y", 0, [worker.address])],
        )
        assert load_value(await scheduler.result(message)) == (100_000, 3)
        _, values = await scheduler.fetch(worker.address, "y")
        assert values == [[1, 2]]

    with_scheduler(scenario, scheme)


def test_a_scattered_value_that_cannot_be_unpickled(with_scheduler, reference):
    async def scenario(scheduler):
        worker = await scheduler.add_worker(threads=1)
        from hocket.protocol.messages import PutData  # noqa: PLC0415

        await scheduler.pool.request(worker.address, PutData(["bad"], [[4]]), [b"\x80bad"])
        inputs = [("bad", 0, [worker.address])]
        failure = await scheduler.result(
            scheduler.task(len, reference("bad"), key="reader", inputs=inputs)
        )
        assert failure.kind is FailureKind.SERIALIZATION
        assert "'bad'" in failure.text
        assert "'reader'" in failure.text

    with_scheduler(scenario)


def test_too_many_large_requests_at_once_are_turned_away(with_scheduler):
    settings = Settings.build(
        overrides={"worker.serve_requests_max": 2, "session.local_grace_s": 0}
    )

    async def scenario(scheduler):
        worker = await scheduler.add_worker(settings=settings)
        await scheduler.run(scheduler.task(bytes, 3 << 20, key="large", wanted=0))
        await scheduler.run(scheduler.task(bytes, 1000, key="small", wanted=0))
        serving = worker._data._serving
        # As if others were being served.
        assert serving.begin()
        assert serving.begin()
        ask = scheduler.pool.request
        assert await ask(worker.address, FetchData(["large", "no"])) == (PeerBusy([[], []]), [])
        # What is small is given all the same.
        reply, _ = await ask(worker.address, FetchData(["small"]))
        assert isinstance(reply, DataReply)
        serving.end()
        for _ in range(3):
            reply, (_, buffer) = await ask(worker.address, FetchData(["large"]))
            assert buffer.nbytes == 3 << 20
        serving.end()
        assert serving.count == 0

    with_scheduler(scenario, "tcp")


def test_a_busy_peer_is_asked_again_after_a_rest(with_scheduler, reference):
    settings = Settings.build(
        overrides={"worker.serve_requests_max": 1, "session.local_grace_s": 0}
    )

    async def scenario(scheduler):
        ann = await scheduler.add_worker(settings=settings)
        bob = await scheduler.add_worker()
        source = scheduler.task(bytes, 3 << 20, key="source", wanted=0)
        await scheduler.run(source)
        assert ann._data._serving.begin()
        inputs = [("source", source.attempts[0], [ann.address])]
        message = scheduler.task(len, reference("source"), key="reader", inputs=inputs)
        scheduler.send(message, to=1)
        await until(lambda: bob._flusher._tick_timer is not None)
        ann._data._serving.end()
        await scheduler.hear(lambda: len(scheduler.ends()) == 2)
        report, index = scheduler.ends()["reader", message.attempts[0]]
        assert load_value(report.values[index]) == 3 << 20
        assert not scheduler.of(InputsMissing)

    with_scheduler(scenario)


def test_a_busy_peer_names_who_else_has_the_value(with_scheduler, reference):
    settings = Settings.build(
        overrides={"worker.serve_requests_max": 1, "session.local_grace_s": 0}
    )

    async def scenario(scheduler):
        ann = await scheduler.add_worker(settings=settings)
        bob = await scheduler.add_worker()
        await scheduler.add_worker()
        source = scheduler.task(bytes, 3 << 20, key="source", wanted=0)
        await scheduler.run(source)
        inputs = [("source", source.attempts[0], [ann.address])]
        first = scheduler.task(len, reference("source"), key="first", inputs=inputs)
        await scheduler.run(first, to=1)
        # From now on the first holder gives nothing.
        assert ann._data._serving.begin()
        (datum,) = ann._machine.held(["source"])
        ann._data._serving.gave([datum], bob.address)
        second = scheduler.task(len, reference("source"), key="second", inputs=inputs)
        ((report, index),) = (await scheduler.run(second, to=2)).values()
        assert load_value(report.values[index]) == 3 << 20

    with_scheduler(scenario)


class FetchFrom(FetchData):
    """What a worker asks, with where it can be asked in turn."""

    source: str = ""


def test_who_got_a_large_value_is_named_to_others(with_scheduler):
    settings = Settings.build(
        overrides={"worker.serve_requests_max": 1, "session.local_grace_s": 0}
    )

    async def scenario(scheduler):
        worker = await scheduler.add_worker(settings=settings)
        await scheduler.run(scheduler.task(bytes, 3 << 20, key="large", wanted=0))
        answer = worker._data._answer
        for asker, is_sent in (("unix://ann", True), ("unix://bob", False), ("", True)):
            reply, _, over = await answer(FetchFrom(["large"], asker), [])
            assert isinstance(reply, DataReply)
            busy, buffers, nothing = await answer(FetchFrom(["large"], "unix://ann"), [])
            assert (busy, buffers, nothing) == (PeerBusy([[]]), [], None)
            over(is_sent)
        _, _, over = await answer(FetchFrom(["large"], ""), [])
        assert (await answer(FetchFrom(["large"], ""), [])).reply == PeerBusy([["unix://ann"]])
        over(True)

    with_scheduler(scenario)


async def until(condition):
    """Let the loop turn until something has come about that tells nobody."""
    while True:
        if condition():
            return
        await asyncio.sleep(0)
