"""Reading settings and secrets from the outside: the file, the environment, and their faults."""

from __future__ import annotations

import os
import sys

import pytest

from hocket.core.errors import SettingsError
from hocket.core.settings import SecuritySettings
from hocket.core.settings_file import load_settings, read_secret


@pytest.fixture
def settings_file(tmp_path):
    path = tmp_path / "hocket.yaml"
    path.write_text("worker:\n  threads: 3\n  memory_limit: 1 GiB\n", encoding="utf-8")
    return path


def test_without_a_file_there_are_defaults_environment_and_code():
    settings = load_settings(
        environment={"HOCKET_WORKER__THREADS": "5"}, overrides={"session.ack_frames": 1}
    )
    assert (settings.worker.threads, settings.session.ack_frames) == (5, 1)


def test_the_file_is_given_by_name(settings_file):
    assert load_settings(settings_file, environment={}).worker.threads == 3
    assert load_settings(str(settings_file), environment={}).worker.memory_limit == 2**30


def test_the_file_is_named_by_a_variable(settings_file):
    environment = {"HOCKET_SETTINGS_FILE": str(settings_file), "HOCKET_WORKER__THREADS": "9"}
    worker = load_settings(environment=environment).worker
    assert (worker.threads, worker.memory_limit) == (9, 2**30)


def test_a_file_given_by_name_goes_before_the_variable(settings_file):
    environment = {"HOCKET_SETTINGS_FILE": str(settings_file.with_name("no-such-file"))}
    assert load_settings(settings_file, environment=environment).worker.threads == 3


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("HOCKET_WORKER__THREADS", "11")
    assert load_settings().worker.threads == 11


def test_an_empty_variable_names_no_file():
    assert load_settings(environment={"HOCKET_SETTINGS_FILE": ""}).worker.threads == 0


def test_errors_in_the_file_name_it_and_the_line(settings_file):
    settings_file.write_text("worker:\n  threads: x\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(settings_file, environment={})
    assert caught.value.source == f"{settings_file}, line 2"


def test_a_file_that_is_not_there_is_told_with_who_named_it(tmp_path):
    missing = tmp_path / "missing.yaml"
    for arguments, source in [
        ({"file": missing, "environment": {}}, "code"),
        ({"environment": {"HOCKET_SETTINGS_FILE": str(missing)}}, "HOCKET_SETTINGS_FILE"),
    ]:
        with pytest.raises(SettingsError, match="cannot be read: No such file") as caught:
            load_settings(**arguments)
        assert source in caught.value.source
        assert caught.value.value == str(missing)


def test_a_folder_a_huge_file_and_bytes_are_refused(tmp_path, settings_file):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path, environment={})
    settings_file.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(SettingsError, match="more than 1048576 bytes"):
        load_settings(settings_file, environment={})
    settings_file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8") as caught:
        load_settings(settings_file, environment={})
    assert caught.value.__context__ is None  # Which would hold the file.


def test_a_secret_comes_from_the_setting():
    assert read_secret(SecuritySettings()) == b""
    assert read_secret(SecuritySettings(secret="s\u00e9sam")) == "s\u00e9sam".encode()


def test_a_secret_comes_from_its_file_without_the_line_end(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b" open sesame\n")
    path.chmod(0o600)
    assert read_secret(SecuritySettings(secret_file=str(path))) == b"open sesame"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o777])
def test_a_secret_that_others_may_read_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "secret"
    path.write_bytes(b"open sesame")
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600") as caught:
        read_secret(SecuritySettings(secret_file=str(path)))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty"), (b" \n", "empty"), (b"x" * 10_001, "more than 10000 bytes")],
)
def test_a_secret_file_without_a_secret_is_refused(tmp_path, content, says):
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=says):
        read_secret(SecuritySettings(secret_file=str(path)))


def test_a_secret_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_secret(SecuritySettings(secret_file=str(tmp_path / "none")))
    assert sys.exc_info() == (None, None, None)
