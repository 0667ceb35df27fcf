"""The settings tree: its layers, its errors, and the ways it travels."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import Choice, Count, Nbytes, Part, Ports, Seconds, Switch, Text
from hocket.core.settings import (
    LocalSettings,
    SchedulerSettings,
    SessionSettings,
    Settings,
    WorkerSettings,
    setting_kinds,
)
from hocket.core.units import GIB, KIB, MIB


def refused(**layers) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        Settings.build(**layers)
    return caught.value


def strategy(kind):
    """Values that a kind allows."""
    match kind:
        case Count() | Nbytes():
            values = st.integers(kind.least, kind.most)
        case Seconds() | Part():
            values = st.floats(kind.least, kind.most)
        case Switch():
            values = st.booleans()
        case Choice():
            values = st.sampled_from(kind.options)
        case Ports():
            values = st.sampled_from(["0", "8786", "8786-8885"])
        case Text():
            values = st.text("a1 #'\"\n\u00e9\u20ac=:", max_size=20)
    if getattr(kind, "words", ()):
        values |= st.sampled_from(kind.words)
    if getattr(kind, "infinite", False):
        values |= st.just(math.inf)
    return values


@st.composite
def flat_settings(draw):
    """Some settings by dotted name, each allowed and all allowed together."""
    kinds = [
        (f"{section}.{name}", kind)
        for section, names in setting_kinds().items()
        for name, kind in names.items()
    ]
    chosen = draw(st.lists(st.sampled_from(kinds), unique_by=lambda pair: pair[0]))
    flat = {name: draw(strategy(kind)) for name, kind in chosen}
    try:
        Settings.build(overrides=flat)
    except SettingsError as error:
        # Wrong together: the error names one that was drawn; the rest may stay.
        while True:
            flat.pop(error.name)
            try:
                Settings.build(overrides=flat)
                break
            except SettingsError as another:
                error = another
    return flat


def test_defaults_are_those_of_the_design():
    settings = Settings.build()
    assert settings == Settings()
    assert settings.to_flat() == {
        "transport.connect_timeout_s": 10.0,
        "transport.frame_nbytes_max": 256 * MIB,
        "transport.handshake_timeout_s": 5.0,
        "transport.loop": "auto",
        "session.grace_s": 30.0,
        "session.local_grace_s": 1.0,
        "session.ack_nbytes": MIB,
        "session.ack_frames": 64,
        "session.unacknowledged_nbytes_max": GIB,
        "session.keepalive_s": 15.0,
        "session.silent_s": 60.0,
        "security.secret": "",
        "security.secret_file": "",
        "client.connect_timeout_s": 10.0,
        "client.inline_argument_nbytes_max": MIB,
        "client.submit_batch_tasks": 5000,
        "client.functions_known_max": 1000,
        "scheduler.allowed_failures": 3,
        "scheduler.window_s": 0.1,
        "scheduler.window_tasks_min": 2,
        "scheduler.window_tasks_max": 10_000,
        "scheduler.unknown_duration_s": 0.01,
        "scheduler.placement": "greedy",
        "scheduler.memory_part": 0.6,
        "scheduler.consumers": "",
        "scheduler.clients_may_end": True,
        "scheduler.permitted_functions": "",
        "worker.threads": 0,
        "worker.inline_nbytes_max": 64 * KIB,
        "worker.switch_interval_s": 0.001,
        "worker.fetch_connections_max": 16,
        "worker.fetch_nbytes_max": 64 * MIB,
        "worker.memory_limit": "auto",
        "worker.fetch_nbytes_in_flight_max": 256 * MIB,
        "worker.serve_requests_max": 8,
        "worker.leave_timeout_s": 10.0,
        "worker.pause_part": 0.8,
        "worker.memory_target": 0.6,
        "worker.memory_spill": 0.7,
        "worker.spill": True,
        "worker.spill_nbytes_min": 64 * KIB,
        "worker.spill_nbytes_max": 0,
        "worker.spill_free_nbytes_min": 512 * MIB,
        "worker.local_directory": "",
        "worker.report_interval_s": 2.0,
        "local.workers": 0,
        "local.threads": 0,
        "local.start_timeout_s": 30.0,
        "local.restart_workers": True,
        "jobs.directory": "~/.hocket/jobs",
        "jobs.folders_max": 50,
        "jobs.folders_age_s": 30 * 86_400.0,
        "jobs.pending_max": 16,
        "jobs.submit_burst": 8,
        "jobs.submit_interval_s": 0.5,
        "jobs.failures_max": 3,
        "jobs.backoff_s": 0.5,
        "jobs.backoff_max_s": 60.0,
        "jobs.start_timeout_s": 120.0,
        "jobs.leave_timeout_s": 60.0,
        "jobs.cancel_timeout_s": 30.0,
        "jobs.bereft_timeout_s": 30.0,
        "jobs.missing_looks": 2,
        "jobs.never_looks": 2,
        "jobs.settle_s": 5.0,
        "jobs.short_life_s": 2.0,
        "command.json": False,
        "command.lines": 100,
        "command.interval_s": 1.0,
        "command.looks": 0,
        "command.probe_timeout_s": 3.0,
        "command.role": "client",
        "security.tls": "auto",
        "security.rotation_grace_s": 3600.0,
        "security.token": "",
        "security.directory": "~/.hocket",
        "client.address": "",
        "client.scheduler_file": "",
        "scheduler.host": "127.0.0.1",
        "scheduler.interface": "",
        "scheduler.port": "8786-8885",
        "scheduler.scheduler_file": "",
        "worker.host": "",
        "worker.interface": "",
        "worker.port": "0",
        "worker.name": "",
        "worker.group": "worker",
        "worker.resources": "",
        "worker.gpus": "auto",
        "worker.gpu_lock_directory": "auto",
        "worker.gpu_wait_s": 30.0,
        "worker.lifetime_s": math.inf,
        "worker.lifetime_margin_s": 60.0,
        "worker.count": 1,
        "worker.restart": True,
        "worker.connect_timeout_s": 60.0,
        "diagnostics.enabled": True,
        "diagnostics.host": "127.0.0.1",
        "diagnostics.port": 0,
        "diagnostics.worker_port": 0,
        "diagnostics.login": "auto",
        "diagnostics.tls": "auto",
        "diagnostics.certificate_file": "",
        "diagnostics.key_file": "",
        "diagnostics.hosts": "",
        "diagnostics.prefix": "",
        "diagnostics.pages": "",
    }


def test_every_default_is_of_its_kind_and_every_setting_is_explained():
    flat = Settings().to_flat()
    for section, kinds in setting_kinds().items():
        for name, kind in kinds.items():
            value = flat[f"{section}.{name}"]
            assert kind.parse(value, name, "default") == value
            assert kind.doc.endswith(".")
            assert kind.describe()
            if not kind.secret:
                assert kind.parse(kind.format(value), name, "text") == value


def test_later_layers_win():
    file_text = "worker: {threads: 1, inline_nbytes_max: 1 KiB, memory_limit: 1 GiB}"
    environment = {"HOCKET_WORKER__THREADS": "2", "HOCKET_WORKER__INLINE_NBYTES_MAX": "2KiB"}
    worker = Settings.build(file_text, environment, {"worker.threads": 3}).worker
    assert (worker.threads, worker.inline_nbytes_max, worker.memory_limit) == (3, 2 * KIB, GIB)
    assert worker.fetch_connections_max == WorkerSettings().fetch_connections_max


def test_variables_of_the_parquet_library_are_not_ours():
    environment = {"HOCKET_PARQUET_THREADS": "2", "HOCKET_PARQUET_CACHE": "/x"}
    assert Settings.build(environment=environment) == Settings()


@given(flat_settings(), flat_settings(), flat_settings())
def test_each_setting_comes_from_the_last_layer_that_names_it(in_file, in_environment, in_code):
    # Secrets are one or the other: leave the pair out of the mix of layers.
    layers = [
        {name: value for name, value in layer.items() if not name.startswith("security.")}
        for layer in (in_file, in_environment, in_code)
    ]
    expected = {**Settings().to_flat(), **layers[0], **layers[1], **layers[2]}
    file_text = "\n".join(f"{name}: {as_yaml(value)}" for name, value in layers[0].items())
    environment = {
        f"HOCKET_{name.replace('.', '__').upper()}": str(value) for name, value in layers[1].items()
    }
    try:
        reference = Settings.build(overrides=expected)
    except SettingsError:
        reject()  # Right alone, wrong together.
    assert Settings.build(file_text, environment, layers[2]) == reference


def as_yaml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value).replace("inf", ".inf")
    return json.dumps(value)


@given(flat_settings())
def test_settings_survive_pickling_and_flattening(flat):
    settings = Settings.build(overrides=flat)
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert copy.deepcopy(settings) == settings
    assert Settings.from_flat(settings.to_flat()) == settings
    assert Settings.build(overrides=settings.to_flat()) == settings
    nested = {
        section: {name: settings.to_flat()[f"{section}.{name}"] for name in names}
        for section, names in setting_kinds().items()
    }
    assert Settings.build(overrides=nested) == settings


def test_a_flat_dict_holds_plain_values_only():
    assert {type(value) for value in Settings().to_flat().values()} == {str, int, float, bool}


def test_settings_are_frozen():
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.worker = WorkerSettings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.worker.threads = 3
    assert hash(settings) == hash(Settings())


def test_no_layer_is_kept_or_changed():
    overrides = {"worker": {"threads": 2}}
    Settings.build(overrides=overrides)
    assert overrides == {"worker": {"threads": 2}}
    assert Settings.build().worker.threads == 0


@pytest.mark.parametrize(
    ("layers", "name", "value", "source"),
    [
        (
            {"overrides": {"worker": {"threads": -1}}},
            "worker.threads",
            -1,
            "code",
        ),
        (
            {"environment": {"HOCKET_WORKER__THREADS": "four"}},
            "worker.threads",
            "four",
            "the environment variable HOCKET_WORKER__THREADS",
        ),
        (
            {"file_text": "\n\nworker:\n  threads: four\n", "file_name": "my.yaml"},
            "worker.threads",
            "four",
            "my.yaml, line 4",
        ),
        (
            {"file_text": "worker.threads: true"},
            "worker.threads",
            True,
            "the settings file, line 1",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_source(layers, name, value, source):
    error = refused(**layers)
    assert (error.name, error.value, error.source) == (name, value, source)
    for part in (name, repr(value), source, "whole number"):
        assert part in str(error)


@pytest.mark.parametrize(
    ("layers", "name", "meant"),
    [
        ({"overrides": {"worker.treads": 1}}, "worker.treads", "worker.threads"),
        ({"overrides": {"worker": {"treads": 1}}}, "worker.treads", "worker.threads"),
        ({"overrides": {"threads": 1}}, "threads", "worker.threads"),
        ({"overrides": {"scheduler.threads": 1}}, "scheduler.threads", "worker.threads"),
        ({"overrides": {"wroker": {"threads": 1}}}, "wroker", "worker"),
        ({"file_text": "worker:\n  inline_nbytes: 1"}, "worker.inline_nbytes", "inline_nbytes_max"),
        (
            {"environment": {"HOCKET_WORKER_THREADS": "1"}},
            "HOCKET_WORKER_THREADS",
            "HOCKET_WORKER__THREADS",
        ),
        (
            {"environment": {"hocket_worker__threads": "1"}},
            "hocket_worker__threads",
            "HOCKET_WORKER__THREADS",
        ),
        (
            {"environment": {"HOCKET_SETTING_FILE": "1"}},
            "HOCKET_SETTING_FILE",
            "HOCKET_SETTINGS_FILE",
        ),
    ],
)
def test_an_unknown_name_is_told_with_what_was_perhaps_meant(layers, name, meant):
    error = refused(**layers)
    assert error.name == name
    assert "there is no such setting; did you mean " in str(error)
    assert meant in error.allowed


@pytest.mark.parametrize("name", ["", ".", "q.", "x" * 10_000, "allow_remote_without_secret"])
def test_a_name_like_no_other_is_pointed_to_the_list(name):
    assert "docs/settings.md" in str(refused(overrides={name: 1}))


def test_a_name_that_is_no_text_is_refused():
    assert refused(overrides={7: 1}).name == "7"


def test_a_section_that_is_no_mapping_is_refused_with_its_settings():
    error = refused(overrides={"local": True})
    assert error.name == "local"
    assert "start_timeout_s, restart_workers" in str(error)


def test_a_setting_given_twice_in_code_is_refused():
    error = refused(overrides={"worker": {"threads": 1}, "worker.threads": 1})
    assert "it is set before, by code" in str(error)


@pytest.mark.parametrize(
    ("overrides", "blamed", "other"),
    [
        ({"session.keepalive_s": "2 min"}, "session.keepalive_s", "session.silent_s"),
        ({"session.silent_s": 1}, "session.silent_s", "session.keepalive_s"),
        (
            {"scheduler.window_tasks_min": 10, "scheduler.window_tasks_max": 9},
            "scheduler.window_tasks_min",
            "scheduler.window_tasks_max",
        ),
        (
            {"transport.frame_nbytes_max": "64 KiB"},
            "transport.frame_nbytes_max",
            "client.inline_argument_nbytes_max",
        ),
        (
            {"security": {"secret": "s", "secret_file": "f"}},
            "security.secret_file",
            "security.secret",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_refused(overrides, blamed, other):
    error = refused(overrides=overrides)
    assert error.name == blamed
    assert other in error.allowed


def test_a_pair_that_does_not_fit_is_blamed_on_the_layer_that_set_it():
    error = refused(environment={"HOCKET_SESSION__KEEPALIVE_S": "5 min"})
    assert error.source == "the environment variable HOCKET_SESSION__KEEPALIVE_S"
    assert error.value == "5 min"
    assert "1 min" in error.allowed


def test_sections_made_in_code_are_checked_too():
    with pytest.raises(SettingsError, match=r"worker\.threads"):
        WorkerSettings(threads=-1)
    with pytest.raises(SettingsError, match=r"local\.restart_workers"):
        LocalSettings(restart_workers=1)
    with pytest.raises(SettingsError, match=r"session\.keepalive_s"):
        Settings(session=SessionSettings(keepalive_s=100.0))
    with pytest.raises(SettingsError, match=r"worker\.threads"):
        dataclasses.replace(WorkerSettings(), threads="many")


def test_the_window_may_be_infinite_and_a_timeout_may_not():
    assert SchedulerSettings(window_s=math.inf).window_s == math.inf
    assert refused(overrides={"client.connect_timeout_s": math.inf}).name.startswith("client")


@pytest.mark.parametrize("shown", [repr, str, lambda settings: f"{settings}"])
def test_a_secret_is_never_shown(shown):
    settings = Settings.build(overrides={"security.secret": "tell-nobody"})
    assert settings.security.secret == "tell-nobody"
    assert "tell-nobody" not in shown(settings)
    assert "secret='***'" in shown(settings)
    assert "secret=''" in shown(Settings())


@pytest.mark.parametrize(
    "layers",
    [
        {"overrides": {"security.secret": b"tell-nobody"}},
        {"overrides": {"security.secret": ["tell-nobody"]}},
        {"overrides": {"security": "tell-nobody"}},
        {"overrides": {"security.secrets": "tell-nobody"}},
        {"overrides": {"security.secret": "tell-nobody" * 10_000}},
        {"overrides": {"security": {"secret": "x"}, "security.secret": "tell-nobody"}},
        {"environment": {"HOCKET_SECRET": "tell-nobody"}},
        {"file_text": "security: tell-nobody"},
        {"file_text": "security: {secret: {tell-nobody: 1}}"},
        {"file_text": "security:\n  secret: 'tell-nobody\n"},
        {"file_text": "security:\n  secret: x\n  secret: tell-nobody\n"},
        {"file_text": "security:\n  secret: *tell-nobody\n"},
        {"overrides": {"security": {"secret": "tell-nobody", "secret_file": "f"}}},
    ],
)
def test_no_error_shows_a_secret(layers):
    error = refused(**layers)
    told = f"{error!r} {error} {error.fields!r} {pickle.dumps(error)!r}"
    told += f"{error.__cause__!r} {error.__context__!r}"
    assert "tell-nobody" not in told


def test_errors_survive_pickling():
    error = refused(overrides={"worker.treads": 1})
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_settings_open_no_file_and_import_no_yaml_reader():
    # A worker's start pays for every import.
    code = (
        "from hocket.core.settings import Settings; Settings.build();"
        "sys.exit(', '.join({'yaml', 'asyncio', 'socket', 'threading', 'subprocess'}"
        " & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-S", "-c", _with_path(code)], check=True)


def _with_path(code):
    """Without site no path file runs, so that nothing but our own imports are seen."""
    return f"import sys; sys.path[:] = {sys.path!r}; " + code


def test_a_part_is_a_number_or_a_percentage():
    for value in (0.75, "0.75", "75 %", "75%"):
        built = Settings.build(overrides={"worker.pause_part": value})
        assert built.worker.pause_part == 0.75
    for value in (1.5, "150%", "-1%", "much", True, "nan"):
        error = refused(overrides={"worker.pause_part": value})
        assert "worker.pause_part" in str(error)
        assert "percentage" in str(error)
