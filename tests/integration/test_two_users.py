"""Two users of one machine, each with a cluster: neither joins, reads or breaks the other's.

Only who may become other users can try that: root.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hocket.transport.scheduler_file import read_scheduler_file

TIMEOUT_S = 60.0
#: Nobody's.
UIDS = (61_001, 61_002)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def python_for_all():
    """Return an interpreter like ours that every user may run, and what it is to import from."""
    others = stat.S_IROTH | stat.S_IXOTH
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}"):
        path = Path(candidate).resolve()
        if not path.exists() or path.stat().st_mode & others != others:
            continue
        if all(each.stat().st_mode & stat.S_IXOTH for each in path.parents):
            # (Not the standard library of ours, which that one may not be let into.)
            own = [each for each in sys.path if Path(each).name in ("site-packages", "src")]
            return candidate, os.pathsep.join(own)
    return "", ""


class User:
    """A user without a name, with a home and processes."""

    def __init__(self, uid, home):
        self.uid, self.home = uid, home
        self.python, paths = python_for_all()
        home.mkdir(mode=0o700)
        os.chown(home, uid, uid)
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "HOCKET_SESSION__LOCAL_GRACE_S": "5",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": paths,
        }
        self.processes = {}

    def _options(self):
        return {
            "env": self.environment,
            "cwd": self.home,
            "user": self.uid,
            "group": self.uid,
            "extra_groups": [],
            "stdin": subprocess.DEVNULL,
        }

    def start(self, name, *arguments):
        with (self.home / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [self.python, "-m", "hocket", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._options(),
            )

    def call(self, *arguments, **environment):
        """Run a Python program of this user's to its end."""
        options = self._options()
        options["env"] = {**self.environment, **environment}
        return subprocess.run(
            [self.python, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            **options,
        )

    def log(self, name):
        return (self.home / f"{name}.log").read_text()

    def until(self, is_so):
        deadline_s = time.monotonic() + TIMEOUT_S
        while not is_so():
            logs = "\n".join(f"--- {name}\n{self.log(name)}" for name in self.processes)
            assert time.monotonic() < deadline_s, logs
            time.sleep(0.02)

    def begin(self, ports, directory):
        """Have a cluster, with a scheduler file where both users can go."""
        self.file = directory / f"scheduler-{self.uid}.json"
        flags = ("--port", ports, "--scheduler-file", str(self.file))
        self.start("scheduler", "scheduler", "--host", "127.0.0.1", *flags)
        # It finds its user's only cluster by itself.
        self.until(lambda: "scheduler at" in self.log("scheduler"))
        self.start("worker", "worker", "--nthreads", "1", "--name", "w", "--gpus", "7,")
        self.until(lambda: "worker w at" in self.log("worker"))
        self.invitation = read_scheduler_file(self.file)

    def close(self):
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(TIMEOUT_S)


def free_ports(count):
    """Return a range of ports that are free now."""
    for first in range(23_000, 32_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return f"{first}-{first + count - 1}"
    raise AssertionError("no port is free")


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may become two other users")
    if not python_for_all()[0]:
        pytest.skip(f"no other user may run {Path(sys.executable).resolve()}, nor one like it")
    # (Of pytest's own directories others see nothing.)
    base = tmp_path_factory.mktemp("users")
    for each in (base, *base.parents):
        if each == each.parent or stat.S_IMODE(each.stat().st_mode) & 0o011 == 0o011:
            break
        each.chmod(each.stat().st_mode | 0o011)
    try:
        pair = [User(uid, base / str(uid)) for uid in UIDS]
        done = pair[0].call("-c", "import hocket.deploy")
    except PermissionError as error:
        pytest.skip(f"processes cannot become another user's here: {error}")
    if done.returncode != 0:
        pytest.skip(f"other users cannot run what is installed here: {done.stderr[-300:]}")
    # Anybody may make files there, and nobody remove another's.
    shared = base / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    ports = free_ports(8)
    try:
        for user in pair:
            user.begin(ports, shared)
        yield pair
    finally:
        for user in pair:
            user.close()
            # (Locks are the host's, and stay where they are.)
            for place in ("/dev/shm", "/tmp", "/var/tmp"):
                shutil.rmtree(Path(place) / f"hocket-gpus-{user.uid}", ignore_errors=True)


def test_each_finds_its_own(users):
    places = [user.invitation.address for user in users]
    assert len(set(places)) == 2
    for user, place in zip(users, places, strict=True):
        done = user.call("-m", "hocket", "status")
        assert done.returncode == 0, done.stderr
        assert place in done.stdout
        assert "1 worker on 1 host" in done.stdout


def test_what_is_one_users_the_other_cannot_read(users):
    one, other = users
    read = "import sys; from pathlib import Path; print(len(Path(sys.argv[1]).read_bytes()))"
    files = [one.file, *(one.home / ".hocket").iterdir(), one.home / ".hocket"]
    assert len(files) == 3
    for file in files:
        status = file.stat()
        assert status.st_uid == one.uid
        assert stat.S_IMODE(status.st_mode) & 0o077 == 0, file
        done = other.call("-c", read, str(file))
        assert "PermissionError" in done.stderr, done
    done = other.call("-m", "hocket", "status", "--scheduler-file", str(one.file))
    assert done.returncode == 1
    assert "cannot be read: Permission denied" in done.stderr


def test_sockets_locks_and_directories_are_their_users_alone(users):
    one, _ = users
    places = [Path(place) for place in ("/tmp", "/dev/shm", "/var/tmp") if Path(place).is_dir()]
    own = [
        each
        for place in places
        for each in place.iterdir()
        if each.lstat().st_uid == one.uid and not each.is_symlink()
    ]
    # The worker's data socket, and its locks.
    assert len(own) >= 2, own
    assert any("hocket-gpus" in each.name for each in own)
    for each in own:
        assert stat.S_IMODE(each.lstat().st_mode) & 0o077 == 0, each
    # Both have the lock of "their" GPU 7: users are told apart unless they agree on a directory.
    assert all("worker w at" in user.log("worker") for user in users)


JOIN = """
import os, sys
from hocket.client import Client
from hocket.core.errors import HocketError
try:
    with Client(sys.argv[1], secret=os.environ.get("SECRET", "")) as client:
        print("in", client.submit(sum, [1, 2]).result(timeout=20))
except HocketError as error:
    print("out:", error)
"""


def test_neither_joins_the_others(users):
    one, other = users
    address = one.invitation.address
    for secret in ("", "guessed", other.invitation.secret):
        done = other.call("-c", JOIN, address, SECRET=secret)
        assert done.stdout.startswith("out:"), done
    done = other.call(
        *("-m", "hocket", "worker", address, "--restart", "no", "--connect-timeout", "3"),
        HOCKET_SECURITY__SECRET=other.invitation.secret,
    )
    assert done.returncode == 1
    # Nor are processes of the one open to the other.
    pids = [process.pid for process in one.processes.values()]
    for pid in pids:
        done = other.call("-c", f"open('/proc/{pid}/environ').read()")
        assert "PermissionError" in done.stderr
        done = other.call("-c", f"import os; os.kill({pid}, 10)")
        assert "PermissionError" in done.stderr
        line = " ".join(psutil.Process(pid).cmdline())
        assert one.invitation.secret.split(":")[2] not in line
    done = one.call("-c", JOIN, address, SECRET=one.invitation.secret)
    assert done.stdout == "in 3\n", done


def test_who_squats_on_a_file_or_directory_leads_nobody_astray(users):
    one, other = users
    # A scheduler file of another's is not believed, though it can be read.
    trap = one.file.parent / "trap.json"
    code = "import shutil, sys, os; shutil.copy(*sys.argv[1:]); os.chmod(sys.argv[2], 0o600)"
    assert other.call("-c", code, str(other.file), str(trap)).returncode == 0
    trap.chmod(0o600)
    done = one.call("-m", "hocket", "status", "--scheduler-file", str(trap))
    assert done.returncode == 1
    # Nor is a directory of locks.
    squat = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / "hocket-gpus-61003"
    squat.mkdir()
    try:
        os.chown(squat, other.uid, other.uid)
        squat.chmod(0o777)
        third = User(61_003, one.home.parent / "third")
        code = "from hocket.worker.shell.gpu_locks import lock_directory; lock_directory('auto')"
        done = third.call("-c", code)
        assert "it is another user's" in done.stderr, done
    finally:
        squat.rmdir()


def test_a_port_that_is_the_others_is_an_error_that_says_so(users):
    one, other = users
    port = one.invitation.address.rpartition(":")[2]
    done = other.call("-m", "hocket", "scheduler", "--host", "127.0.0.1", "--port", port)
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr
    # And all is as it was.
    for user in users:
        done = user.call("-c", JOIN, user.invitation.address, SECRET=user.invitation.secret)
        assert done.stdout == "in 3\n", done
        for name, process in user.processes.items():
            assert process.poll() is None, user.log(name)
