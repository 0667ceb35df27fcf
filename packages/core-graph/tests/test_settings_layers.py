"""The layers of settings: what a file and the environment may hold, and what they may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.core.settings import setting_kinds
from hocket.core.settings_layers import (
    values_of_environment,
    values_of_file,
    values_of_mapping,
)


def of_file(text):
    parsed = values_of_file(text, setting_kinds(), "f.yaml")
    return {name: value for name, (value, _) in parsed.items()}


def of_environment(environment):
    parsed = values_of_environment(environment, setting_kinds())
    return {name: value for name, (value, _) in parsed.items()}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("---\n", {}),
        ("{}", {}),
        ("null", {}),
        ("worker:\n", {}),
        ("worker:\n  threads: 4\n", {"worker.threads": 4}),
        ("worker.threads: 4\n", {"worker.threads": 4}),
        (
            "worker: {threads: 4}\nsession.ack_frames: 8",
            {"worker.threads": 4, "session.ack_frames": 8},
        ),
        ("scheduler.window_s: .inf", {"scheduler.window_s": float("inf")}),
        ("scheduler.window_s: inf", {"scheduler.window_s": float("inf")}),
        ("worker.memory_limit: 2 GiB", {"worker.memory_limit": 2**31}),
        ("worker.memory_limit: auto", {"worker.memory_limit": "auto"}),
        ("client.connect_timeout_s: 500ms", {"client.connect_timeout_s": 0.5}),
        ("local.restart_workers: no", {"local.restart_workers": False}),
        ("security.secret: '0123'", {"security.secret": "0123"}),
    ],
)
def test_a_file_is_read(text, values):
    assert of_file(text) == values


@pytest.mark.parametrize(
    ("text", "name", "place", "says"),
    [
        ("worker: [", "(all)", "f.yaml, line 1", "cannot be read: it is not YAML"),
        ("a: b: c", "(all)", "f.yaml, line 1", "it is not YAML"),
        ("\tworker: 1", "(all)", "f.yaml, line 1", "it is not YAML"),
        ("worker:\n  threads: 1\n---\nworker:\n", "(all)", "f.yaml, line 3", "it is not YAML"),
        ("- worker", "(all)", "f.yaml, line 1", "cannot be a list"),
        ("worker", "(all)", "f.yaml, line 1", "must be a mapping"),
        ("worker:\n- threads", "worker", "f.yaml, line 2", "it is a section"),
        ("\nworker:\n  threads: [1]", "worker.threads", "f.yaml, line 3", "cannot be a list"),
        ("\nworker:\n  threads: {a: 1}", "worker.threads", "f.yaml, line 3", "cannot be a mapping"),
        ("worker.threads: null", "worker.threads", "f.yaml, line 1", "cannot be None"),
        ("security.secret: 0123", "security.secret", "f.yaml, line 1", "put it in quotes"),
        ("? [worker]\n: 1", "a list", "f.yaml, line 1", "no such setting"),
        ("1: 1", "1", "f.yaml, line 1", "no such setting"),
        ("worker.threads: 1\nworker:\n  threads: 2", "worker.threads", "f.yaml, line 3", "line 1"),
        ("worker.threads: 2001-13-45", "(all)", "f.yaml", "it is not YAML"),
        ("!!python/object/apply:os.getcwd []", "(all)", "f.yaml, line 1", "cannot be a list"),
        ("worker.threads: !!python/name:os.getcwd", "(all)", "f.yaml, line 1", "it is not YAML"),
        ("[" * 1000, "(all)", "f.yaml", "it is not YAML"),
        ("#" * (2**20 + 1), "(all)", "f.yaml", "at most"),
        ("a: \x00", "(all)", "f.yaml", "it is not YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_line(text, name, place, says):
    with pytest.raises(SettingsError) as caught:
        of_file(text)
    assert caught.value.name == name
    assert caught.value.source == place
    assert says in str(caught.value)


def test_aliases_may_not_be_piled_up():
    # Each level doubles what an eager reader would build: 2 ** 60 items.
    levels = "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))
    with pytest.raises(SettingsError, match="no such setting"):
        of_file(f"a0: &a0 x\n{levels}")


def test_the_environment_is_read_and_other_variables_are_passed_over():
    assert of_environment(
        {
            "HOCKET_WORKER__INLINE_NBYTES_MAX": "64KiB",
            "HOCKET_LOCAL__RESTART_WORKERS": "off",
            "HOCKET_SECURITY__SECRET": "",
            "HOCKET_SETTINGS_FILE": "ignored here",
            "PATH": "HOCKET_",
            "WORKER__THREADS": "x",
        }
    ) == {
        "worker.inline_nbytes_max": 64 * 1024,
        "local.restart_workers": False,
        "security.secret": "",
    }


@pytest.mark.parametrize(
    "variable", ["HOCKET_", "HOCKET_WORKER", "HOCKET_worker__THREADS", "HOCKET_WORKER.THREADS"]
)
def test_a_variable_with_our_prefix_must_be_a_setting(variable):
    with pytest.raises(SettingsError, match="no such setting") as caught:
        of_environment({variable: "1"})
    assert caught.value.name == variable
    assert caught.value.source == "the environment"


names = st.sampled_from(["worker", "threads", "worker.threads", "security", "secret", "x"])
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    plain,
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(names | plain, anything, max_size=4))
def test_any_mapping_gives_settings_or_a_settings_error(mapping):
    try:
        values = values_of_mapping(mapping, setting_kinds(), "code")
    except SettingsError:
        return
    assert set(values) <= {"worker.threads", "security.secret"}


@given(st.text(max_size=60) | st.text("worker.thads: {}[]&*!\n'\"-?", max_size=60))
def test_any_text_gives_settings_or_a_settings_error(text):
    try:
        values = of_file(text)
    except SettingsError:
        return
    assert set(values) <= {"worker.threads"}
