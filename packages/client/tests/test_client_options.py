"""Options of calls: checked once, named in errors, sent with every task."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.client.batches import TaskBatch
from hocket.client.options import NO_OPTIONS, check_key, make_options, worker_names
from hocket.core.errors import SettingsError
from hocket.protocol.checks import check
from hocket.protocol.serialize import FunctionPickle

FUNCTION = FunctionPickle(b"d" * 16, b"blob", "f", [])


def test_no_options_are_one_object() -> None:
    assert make_options() is NO_OPTIONS
    assert make_options(workers=[], resources={}, retry_delay=0, executor="threads") is NO_OPTIONS


def test_times_and_memory_have_units() -> None:
    options = make_options(
        retries=3,
        retry_delay="500 ms",
        resources={"memory": "5 GB", "GPU": 0.5, "disk": 10},
        executor="loop",
    )
    assert options.retry_delay_s == 0.5
    assert options.resources == {"memory": 5e9, "GPU": 0.5, "disk": 10.0}
    assert options.executor == "loop"
    assert make_options(retry_delay=2).retry_delay_s == 2.0
    assert make_options(resources={"memory": "1 KiB"}).resources == {"memory": 1024.0}
    assert make_options(resources={"memory": 5e9}).resources == {"memory": 5e9}


def test_equal_options_are_equal() -> None:
    assert make_options(resources={"GPU": 1}) == make_options(resources={"GPU": 1.0})
    assert make_options(retry_delay=1) != make_options(retry_delay=2)
    assert make_options(executor="loop") != NO_OPTIONS


@pytest.mark.parametrize(
    ("options", "what", "remedy"),
    [
        ({"retry_delay": -1}, "retry_delay", "500 ms"),
        ({"retry_delay": math.nan}, "retry_delay", "500 ms"),
        ({"retry_delay": math.inf}, "retry_delay", "500 ms"),
        ({"retry_delay": "2 parsecs"}, "2 parsecs", "500 ms"),
        ({"retry_delay": [1]}, "retry_delay", "500 ms"),
        ({"executor": ""}, "executor", "'threads'"),
        ({"executor": None}, "executor", "text"),
        ({"executor": 5}, "executor", "text"),
        ({"executor": "x" * 2000}, "executor", "at most"),
        ({"resources": 5}, "resources", "GPU"),
        ({"resources": ["GPU"]}, "resources", "GPU"),
        ({"resources": {"GPU": -1}}, "-1", "finite amount from 0"),
        ({"resources": {"GPU": math.inf}}, "GPU", "finite amount from 0"),
        ({"resources": {"GPU": math.nan}}, "GPU", "finite amount from 0"),
        ({"resources": {"GPU": "1 GB"}}, "GPU", "finite amount from 0"),
        ({"resources": {"GPU": None}}, "GPU", "finite amount from 0"),
        ({"resources": {"GPU": 10**400}}, "GPU", "finite amount from 0"),
        ({"resources": {"memory": "5 gallons"}}, "5 gallons", "64 KiB"),
        ({"resources": {"memory": "-5 GB"}}, "-5 GB", "64 KiB"),
        ({"resources": {"memory": -5}}, "memory", "5 GB"),
        ({"resources": {"memory": math.inf}}, "memory", "5 GB"),
        ({"workers": "x" * 2000}, "workers", "at most"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(
    options: dict[str, Any], what: str, remedy: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        make_options(**options)
    assert what in str(caught.value)
    assert remedy in str(caught.value)


amounts = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.sampled_from(["1", "2 GB", "x", ""])
)


@given(
    retry_delay=st.one_of(st.floats(), st.integers(), st.sampled_from(["1 s", "1", "-1", "x"])),
    resources=st.dictionaries(st.sampled_from(["memory", "GPU", "x"]), amounts, max_size=3),
    executor=st.text(max_size=3),
)
def test_what_passes_is_a_message_that_the_scheduler_takes(
    retry_delay: Any, resources: dict[str, Any], executor: str
) -> None:
    try:
        options = make_options(
            retries=1, retry_delay=retry_delay, resources=resources, executor=executor
        )
    except SettingsError as error:
        refused = error.name.partition("[")[0]
    else:
        refused = ""
    if refused:
        assert refused in ("retry_delay", "resources", "executor")
        return
    message, _ = TaskBatch([FUNCTION], ["k"], [b"p"], options=options).message()
    check(message)
    assert 0 <= message.retry_delay_s < math.inf
    assert set(message.resources) == set(resources)
    assert all(0 <= amount < math.inf for amount in message.resources.values())
    assert message.executor == executor


def test_workers_are_named_in_any_form() -> None:
    assert worker_names(None) == ()
    assert worker_names("a") == ("a",)
    assert worker_names({"a"}) == ("a",)
    assert worker_names(iter(["a", "b"])) == ("a", "b")
    with pytest.raises(SettingsError, match="workers"):
        worker_names(["\ud800"])


def test_keys_are_text_in_the_end() -> None:
    assert check_key("x") == "x"
    assert check_key(("x", 1)) == "('x', 1)"
    assert check_key("schlüssel") == "schlüssel"
