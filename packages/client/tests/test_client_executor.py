"""The executor keeps what `concurrent.futures` promises, whatever the scheduler does."""

from __future__ import annotations

import concurrent.futures
import gc
import itertools
import logging
import operator
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hocket.client import Client
from hocket.client.executor import ClientExecutor
from hocket.core.errors import SerializationError, SettingsError
from hocket.protocol.messages import CancelTasks, ListTasks, SubmitTasks, TasksListed

TIMEOUT_S = 10.0


@pytest.fixture
def executor(client: Client) -> Iterator[ClientExecutor]:
    with client.get_executor() as one:
        yield one


@pytest.fixture(autouse=True)
def nothing_runs(scheduler: Any) -> None:
    run_only(scheduler)


def run_only(scheduler: Any, *keys: str) -> None:
    """Have the scheduler say that these tasks run, and no others."""
    scheduler.answers[ListTasks] = lambda message: TasksListed(
        message.request,
        ["tcp://w:1"],
        [[key for key in keys if key in message.keys or not message.keys]],
    )


def fail(error: BaseException) -> None:
    raise error


def keywords(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


# ------------------------------------------------------------------ submit


def test_a_call(executor: ClientExecutor) -> None:
    future = executor.submit(operator.mul, 6, 7)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(TIMEOUT_S) == 42
    assert future.exception() is None
    assert (future.done(), future.running(), future.cancelled()) == (True, False, False)
    assert not future.cancel()


def test_all_keywords_are_the_functions(executor: ClientExecutor) -> None:
    future = executor.submit(keywords, 1, fn=2, self=3, key="k", priority=4, workers=5)
    expected = (1,), {"fn": 2, "self": 3, "key": "k", "priority": 4, "workers": 5}
    assert future.result(TIMEOUT_S) == expected


def test_an_error_comes_back(executor: ClientExecutor) -> None:
    future = executor.submit(fail, KeyError("x"))
    with pytest.raises(KeyError) as caught:
        future.result(TIMEOUT_S)
    assert caught.value is future.exception()
    assert future.done()
    assert not future.cancel()


def test_what_cannot_be_pickled_is_told_at_once(executor: ClientExecutor) -> None:
    with pytest.raises(SerializationError, match="argument 1"):
        executor.submit(len, threading.Lock())


def test_a_large_result_is_fetched(executor: ClientExecutor, scheduler: Any) -> None:
    size = scheduler.inline_nbytes_max * 3
    small, large = executor.submit(bytes, 3), executor.submit(bytes, size)
    assert large.result(TIMEOUT_S) == bytes(size)
    assert small.result(TIMEOUT_S) == bytes(3)


def test_options_are_those_of_submit(client: Client, scheduler: Any) -> None:
    with client.get_executor(priority=5, retries=2, workers="w", resources={"GPU": 1}) as executor:
        executor.submit(abs, -1).result(TIMEOUT_S)
        assert list(executor.map(abs, [-1, -2])) == [1, 2]
    for message in scheduler.of(SubmitTasks):
        assert (message.priority, message.retries) == (5, 2)
        assert (message.workers, message.resources) == (["w"], {"GPU": 1.0})
    with pytest.raises(SettingsError, match="retries"):
        client.get_executor(retries=-1)


def test_the_clusters_future_is_let_go_when_the_value_is_there(
    executor: ClientExecutor, scheduler: Any
) -> None:
    future = executor.submit(abs, -1)
    assert future.result(TIMEOUT_S) == 1
    scheduler.await_released([future.key])


def test_a_call_is_made_though_nobody_keeps_its_future(
    executor: ClientExecutor, scheduler: Any
) -> None:
    scheduler.held = True
    done = threading.Event()
    executor.submit(abs, -1).add_done_callback(lambda _: done.set())
    gc.collect()
    scheduler.let_go()
    assert done.wait(TIMEOUT_S)


def test_nothing_keeps_results(executor: ClientExecutor) -> None:
    future = executor.submit(set)
    result = future.result(TIMEOUT_S)

    class Weak(set[int]):
        pass

    future = executor.submit(Weak)
    result = future.result(TIMEOUT_S)
    alive = weakref.ref(result)
    executor.submit(abs, 1).result(TIMEOUT_S)
    del future, result
    gc.collect()
    assert alive() is None


# ------------------------------------------------------------------ futures


def test_callbacks_are_called_once_with_the_future_in_order(
    executor: ClientExecutor, scheduler: Any
) -> None:
    scheduler.held = True
    called: list[Any] = []
    done = threading.Event()
    future = executor.submit(abs, -1)
    future.add_done_callback(lambda one: called.append((1, one, one.result())))
    future.add_done_callback(lambda one: called.append((2, one, one.result())))
    future.add_done_callback(lambda _: done.set())
    scheduler.let_go()
    assert done.wait(TIMEOUT_S)
    assert called == [(1, future, 1), (2, future, 1)]
    # One that comes late is called at once.
    future.add_done_callback(called.append)
    assert called[-1] is future


def test_an_error_in_a_callback_is_logged_and_stops_nothing(
    executor: ClientExecutor, scheduler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler.held = True
    future = executor.submit(abs, -1)
    done = threading.Event()
    future.add_done_callback(lambda _: fail(ValueError("mine")))
    future.add_done_callback(lambda _: done.set())
    with caplog.at_level(logging.ERROR, "concurrent.futures"):
        scheduler.let_go()
        assert done.wait(TIMEOUT_S)
    assert "mine" in caplog.text
    assert executor.submit(abs, -2).result(TIMEOUT_S) == 2


def test_a_callback_may_use_the_executor(executor: ClientExecutor) -> None:
    second: list[concurrent.futures.Future[int]] = []
    done = threading.Event()

    def go_on(future: concurrent.futures.Future[int]) -> None:
        second.append(executor.submit(abs, -1 - future.result()))
        assert not future.cancel()
        done.set()

    executor.submit(abs, -1).add_done_callback(go_on)
    assert done.wait(TIMEOUT_S)
    assert second[0].result(TIMEOUT_S) == 2


def test_cancelling_what_has_not_begun(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    called: list[Any] = []
    future = executor.submit(abs, -1)
    future.add_done_callback(called.append)
    assert (future.done(), future.running()) == (False, False)
    assert future.cancel()
    assert future.cancel()
    assert called == [future]
    assert (future.done(), future.running(), future.cancelled()) == (True, False, True)
    for ask in (future.result, future.exception):
        with pytest.raises(concurrent.futures.CancelledError):
            ask(TIMEOUT_S)
    assert scheduler.await_message(CancelTasks).keys == [future.key]


def test_what_runs_is_not_cancelled(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    future = executor.submit(abs, -1)
    run_only(scheduler, future.key)
    assert future.running()
    assert not future.cancel()
    assert not future.cancelled()
    scheduler.let_go()
    assert future.result(TIMEOUT_S) == 1


def test_timeouts(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    future = executor.submit(abs, -1)
    for ask in (future.result, future.exception):
        with pytest.raises(concurrent.futures.TimeoutError):
            ask(0)
    scheduler.let_go()
    assert future.result(TIMEOUT_S) == 1


class Log(list[str]):
    """Calls something when the task gives up its slot."""

    def __init__(self, on_secede: Callable[[], object]) -> None:
        self.on_secede = on_secede

    def append(self, word: str) -> None:
        super().append(word)
        if word == "secede":
            self.on_secede()


def test_a_task_that_waits_gives_up_its_slot(
    executor: ClientExecutor, scheduler: Any, make_task: Any
) -> None:
    scheduler.held = True
    with make_task() as task:
        future = executor.submit(abs, -1)
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(0)
        task.log = Log(scheduler.let_go)
        assert future.result(TIMEOUT_S) == 1
        assert task.log == ["secede", "rejoin"]
        assert future.exception(TIMEOUT_S) is None
        assert task.log == ["secede", "rejoin"]


# ------------------------------------------------------------------ wait, as_completed


def test_waiting_for_some_and_for_all(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    cancelled, good, bad = (executor.submit(abs, one) for one in (0, -1, "x"))
    cancelled.cancel()
    first = concurrent.futures.wait([cancelled, good, bad], 0, "FIRST_COMPLETED")
    assert first == ({cancelled}, {good, bad})
    nothing = concurrent.futures.wait([good, bad], 0)
    assert nothing == (set(), {good, bad})
    scheduler.let_go()
    assert bad in concurrent.futures.wait([good, bad], TIMEOUT_S, "FIRST_EXCEPTION").done
    everything = concurrent.futures.wait([cancelled, good, bad, good], TIMEOUT_S)
    assert everything == ({cancelled, good, bad}, set())


def test_a_cancelled_one_ends_the_wait(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    futures = [executor.submit(abs, one) for one in range(2)]
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waited = threads.submit(concurrent.futures.wait, futures, TIMEOUT_S)
        assert all(future.cancel() for future in futures)
        assert waited.result(TIMEOUT_S).not_done == set()
    assert set(concurrent.futures.as_completed(futures, TIMEOUT_S)) == set(futures)


def test_as_completed(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    slow = executor.submit(abs, -1)
    with pytest.raises(concurrent.futures.TimeoutError):
        list(concurrent.futures.as_completed([slow], 0))
    done = executor.submit(abs, 0)
    done.cancel()
    order = concurrent.futures.as_completed([slow, done, done], TIMEOUT_S)
    assert next(order) is done
    scheduler.let_go()
    assert list(order) == [slow]


# ------------------------------------------------------------------ map


def test_map_is_the_builtins(executor: ClientExecutor) -> None:
    assert list(executor.map(pow, range(10), range(10))) == list(map(pow, range(10), range(10)))
    assert list(executor.map(pow, range(5), itertools.count())) == [1, 1, 4, 27, 256]
    assert list(executor.map(abs, [])) == []
    assert list(executor.map(abs)) == []


@pytest.mark.parametrize("chunksize", [1, 2, 5, 6, 5000])
@pytest.mark.parametrize("buffersize", [None, 1, 3, 100])
def test_map_in_chunks(executor: ClientExecutor, chunksize: int, buffersize: int | None) -> None:
    results = executor.map(
        pow, range(11), [2] * 11, chunksize=chunksize, buffersize=buffersize, timeout=TIMEOUT_S
    )
    assert list(results) == [one**2 for one in range(11)]


def test_chunks_are_fewer_tasks(executor: ClientExecutor, scheduler: Any) -> None:
    assert list(executor.map(abs, range(10), chunksize=4)) == list(range(10))
    assert sum(len(message.payloads) for message in scheduler.of(SubmitTasks)) == 3


def test_a_buffer_makes_endless_iterables_end(executor: ClientExecutor) -> None:
    results = executor.map(abs, itertools.count(), buffersize=4)
    assert list(itertools.islice(results, 10)) == list(range(10))


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_that_are_none(executor: ClientExecutor, size: int) -> None:
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(abs, [1], chunksize=size)
    with pytest.raises(ValueError, match="buffersize"):
        executor.map(abs, [1], buffersize=size)


def test_map_raises_where_the_call_did(executor: ClientExecutor) -> None:
    results = executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert next(results) == (0, 1)
    assert next(results) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_map_is_late(executor: ClientExecutor, scheduler: Any) -> None:
    scheduler.held = True
    results = executor.map(abs, [-1, -2], timeout=0)
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    # What nobody will take is not computed.
    scheduler.await_message(CancelTasks, 2)


def test_an_iterator_that_is_dropped_cancels(executor: ClientExecutor, scheduler: Any) -> None:
    results = executor.map(abs, range(3), buffersize=1)
    scheduler.await_message(SubmitTasks)
    # (By now the first call has been made.)
    scheduler.call(gc.collect)
    scheduler.held = True
    assert next(results) == 0
    del results
    gc.collect()
    scheduler.await_message(CancelTasks, 1)


# ------------------------------------------------------------------ the end


def test_nothing_is_taken_after_shutdown(executor: ClientExecutor) -> None:
    executor.shutdown()
    executor.shutdown()
    assert "shut down" in repr(executor)
    for call in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="after shutdown"):
            call()


def test_the_block_ends_when_all_is_done(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    with client.get_executor() as executor:
        futures = [executor.submit(abs, one) for one in range(3)]
        threading.Thread(target=scheduler.let_go).start()
    assert all(future.done() for future in futures)
    assert not client.closed


def test_shutdown_without_waiting(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    executor = client.get_executor()
    future = executor.submit(abs, -1)
    executor.shutdown(wait=False)
    assert not future.done()
    scheduler.let_go()
    assert future.result(TIMEOUT_S) == 1
    executor.shutdown()


@pytest.mark.parametrize("count", [3, 1500])
def test_shutdown_cancels_what_has_not_begun(client: Client, scheduler: Any, count: int) -> None:
    scheduler.held = True
    executor = client.get_executor()
    runs, *waiting = (executor.submit(abs, one) for one in range(count))
    run_only(scheduler, runs.key)
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    assert not runs.done()
    scheduler.let_go()
    executor.shutdown()
    assert runs.result(0) == 0


def test_threads_end_with_the_executor(client: Client) -> None:
    def threads() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one.name == "hocket-executor"]

    executor = client.get_executor()
    executor.submit(abs, 1).result(TIMEOUT_S)
    (thread,) = threads()
    executor.shutdown()
    thread.join(TIMEOUT_S)
    dropped = client.get_executor()
    dropped.submit(abs, 1).result(TIMEOUT_S)
    (thread,) = threads()
    del dropped
    gc.collect()
    thread.join(TIMEOUT_S)
    assert not threads()


def test_closing_the_client_cancels(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    executor = client.get_executor()
    future = executor.submit(abs, -1)
    client.close()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(TIMEOUT_S)
    with pytest.raises(concurrent.futures.BrokenExecutor):
        executor.submit(abs, 1)
    executor.shutdown()


def test_a_lost_scheduler_breaks_it(client: Client, scheduler: Any) -> None:
    scheduler.held = True
    executor = client.get_executor()
    future = executor.submit(abs, -1)
    scheduler.await_message(SubmitTasks)
    scheduler.abort()
    with pytest.raises(concurrent.futures.BrokenExecutor):
        future.result(TIMEOUT_S)
    with pytest.raises(concurrent.futures.BrokenExecutor):
        list(executor.map(abs, [1]))
    executor.shutdown(cancel_futures=True)


def test_it_stays_where_it_is(executor: ClientExecutor) -> None:
    with pytest.raises(TypeError, match="get_executor"):
        pickle.dumps(executor)
