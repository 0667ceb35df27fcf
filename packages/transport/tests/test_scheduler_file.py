"""Invitations on disk are for their owner only, never half there, and found by an address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import msgspec
import pytest

from hocket.core.errors import SettingsError
from hocket.core.settings import Settings
from hocket.protocol.invitation import Invitation, to_token
from hocket.transport.joining import find_invitation, only_known_cluster
from hocket.transport.known_clusters import (
    find_cluster_of,
    forget_cluster,
    known_clusters,
    remember_cluster,
)
from hocket.transport.scheduler_file import (
    read_scheduler_file,
    remove_scheduler_file,
    wait_scheduler_file,
    write_scheduler_file,
)

ONE = Invitation(
    cluster="one", addresses=["tls://10.0.0.1:8786", "tls://10.1.0.1:8786"], secret="s"
)
TWO = Invitation(cluster="two", addresses=["tcp://127.0.0.1:8787"], secret="t")


def mode(path):
    return path.stat().st_mode & 0o777


def test_a_file_is_its_owners_only_whatever_the_mask(tmp_path):
    path = tmp_path / "s.json"
    before = os.umask(0)
    try:
        write_scheduler_file(path, ONE)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert read_scheduler_file(path) == ONE
    assert list(tmp_path.iterdir()) == [path]
    write_scheduler_file(path, TWO)
    assert read_scheduler_file(path) == TWO


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path, bits):
    path = tmp_path / "s.json"
    write_scheduler_file(path, ONE)
    path.chmod(bits)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_scheduler_file(path)


def test_a_file_that_cannot_be_is_named(tmp_path):
    with pytest.raises(SettingsError, match="cannot be written"):
        write_scheduler_file(tmp_path / "no" / "s.json", ONE)
    with pytest.raises(SettingsError, match=r"no\.json"):
        read_scheduler_file(tmp_path / "no.json")
    with pytest.raises(SettingsError, match="was not there within 0 s; is a scheduler up"):
        wait_scheduler_file(tmp_path / "no.json", 0)


def test_a_file_that_comes_later_is_waited_for(tmp_path):
    path = tmp_path / "s.json"
    writer = threading.Thread(target=write_scheduler_file, args=(path, ONE))
    writer.start()
    assert wait_scheduler_file(path, 30) == ONE
    writer.join()


def test_a_file_is_removed_by_its_own_cluster_alone(tmp_path):
    path = tmp_path / "s.json"
    write_scheduler_file(path, ONE)
    remove_scheduler_file(path, "two")
    assert path.exists()
    remove_scheduler_file(path, "one")
    remove_scheduler_file(path, "one")
    assert not path.exists()


def test_clusters_are_remembered_and_found_by_any_of_their_addresses(tmp_path):
    directory = str(tmp_path / "known")
    assert known_clusters(directory) == []
    assert known_clusters("") == []
    for invitation in (ONE, TWO):
        file = remember_cluster(directory, invitation)
        assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    # Nobody need know whether there is TLS.
    for address in ("tls://10.1.0.1:8786", "tcp://10.1.0.1:8786", "10.1.0.1:8786"):
        assert find_cluster_of(directory, address) == ONE
    assert find_cluster_of(directory, "10.1.0.1:8787") is None
    assert find_cluster_of(directory, "no address") is None
    forget_cluster(directory, "one")
    assert known_clusters(directory) == [TWO]


def test_what_a_killed_scheduler_has_left_is_removed(tmp_path):
    directory = str(tmp_path / "known")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = msgspec.structs.replace(ONE, host=socket.gethostname(), pid=process.pid)
    elsewhere = msgspec.structs.replace(ONE, cluster="three", host="elsewhere", pid=process.pid)
    alive = msgspec.structs.replace(TWO, host=socket.gethostname(), pid=os.getpid())
    for invitation in (dead, elsewhere, alive):
        remember_cluster(directory, invitation)
    assert {each.cluster for each in known_clusters(directory)} == {"two", "three"}
    assert len(list((tmp_path / "known").iterdir())) == 2


def test_a_directory_that_others_look_into_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(SettingsError, match="chmod 700"):
        remember_cluster(str(tmp_path), ONE)
    with pytest.raises(SettingsError, match="is no cluster's id"):
        forget_cluster(str(tmp_path), "../x")


def settings(directory, **names):
    overrides = {name.replace("__", "."): value for name, value in names.items()}
    return Settings.build(overrides={"security.directory": directory} | overrides)


def test_what_is_said_goes_before_what_lies_about(tmp_path):
    directory = str(tmp_path / "known")
    file = tmp_path / "s.json"
    write_scheduler_file(file, ONE)
    plain = settings(directory)
    assert find_invitation(None, plain) is None
    assert find_invitation(None, plain, scheduler_file=str(file)) == ONE
    assert find_invitation(to_token(TWO), plain) == TWO
    assert find_invitation(None, settings(directory, client__scheduler_file=str(file))) == ONE
    by_token = settings(directory, security__token=to_token(TWO), client__scheduler_file=str(file))
    assert find_invitation(None, by_token) == TWO
    # An address alone: with the secret of the settings, else with what its scheduler has left.
    assert find_invitation("h:1", plain) == Invitation(cluster="", addresses=["h:1"])
    remember_cluster(directory, ONE)
    assert find_invitation("10.0.0.1:8786", plain) == ONE
    own = find_invitation("10.0.0.1:8786", settings(directory, security__secret="mine"))
    assert own == Invitation(cluster="", addresses=["10.0.0.1:8786"], secret="mine")
    with pytest.raises(SettingsError, match="give one of them"):
        find_invitation("h:1", plain, scheduler_file=str(file))


def test_the_only_cluster_is_meant_where_nothing_is_said(tmp_path):
    directory = str(tmp_path / "known")
    with pytest.raises(SettingsError, match="no scheduler was started"):
        only_known_cluster(settings(directory))
    remember_cluster(directory, ONE)
    assert only_known_cluster(settings(directory)) == ONE
    remember_cluster(directory, TWO)
    with pytest.raises(SettingsError, match=r"there are several.*10\.0\.0\.1:8786"):
        only_known_cluster(settings(directory))
