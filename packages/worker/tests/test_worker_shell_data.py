"""A worker's data: fetched from other workers, fetched by them, scattered by clients."""

from __future__ import annotations

from hocket.protocol.messages import (
    FailureKind,
    InputsMissing,
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
