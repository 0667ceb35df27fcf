"""The command: what it says of itself, and how it refuses what it cannot do."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from hocket.core.settings import setting_kinds
from hocket.deploy.cli import options, program
from hocket.deploy.cli.program import main
from hocket.deploy.cluster_status import rows_of, summary_of
from hocket.protocol.credentials import parse_secret
from hocket.protocol.invitation import Invitation, from_token, to_token
from hocket.protocol.roles import Role
from hocket.transport.known_clusters import remember_cluster
from hocket.transport.scheduler_file import write_scheduler_file

VERBS = list(program._VERBS)
#: What gives settings, and what is a deed that nobody has done for good.
NO_SETTINGS = {"settings_file", "overrides", "replace", "help"}


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    """See that no cluster of whoever runs the tests is found."""
    directory = tmp_path / "known"
    monkeypatch.setenv("HOCKET_SECURITY__DIRECTORY", str(directory))
    return directory


@pytest.fixture
def call():
    def call_with(*arguments):
        return CliRunner().invoke(main, arguments)

    return call_with


def test_help_lists_the_verbs(call):
    answer = call("--help")
    assert answer.exit_code == 0
    for verb in VERBS:
        assert f"\n  {verb} " in answer.output


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(call, verb):
    answer = call(verb, "--help")
    assert answer.exit_code == 0
    assert "Usage: " in answer.output
    assert "--set NAME=VALUE" in answer.output


@pytest.mark.parametrize("verb", VERBS)
def test_each_flag_is_a_setting_and_says_which(verb):
    command = main.get_command(click.Context(main), verb)
    flags = [one for one in command.params if isinstance(one, click.Option)]
    for flag in flags:
        if flag.name in NO_SETTINGS:
            continue
        found = re.search(r"\[(\w+)\.(\w+), HOCKET_(\w+)\]$", flag.help or "")
        assert found is not None, f"hocket {verb} {flag.opts[-1]} is no setting"
        section, key, variable = found.groups()
        assert variable == f"{section}__{key}".upper()
        assert setting_kinds()[section][key].doc in flag.help


def test_a_flag_without_a_value_switches_on(call):
    assert settings_of_call(call, "status", "--json").command.json
    assert not settings_of_call(call, "status").command.json
    assert settings_of_call(call, "logs", "-n", "7").command.lines == 7
    assert settings_of_call(call, "run", "--nworkers", "3").local.workers == 3


def settings_of_call(call, verb, *flags):
    """Return the settings that a verb would have."""
    command = main.get_command(click.Context(main), verb)
    with command.make_context(verb, [*flags, *([__file__] if verb == "run" else [])]):
        return options.settings_of(None, ())


def test_an_address_that_is_given_goes_before_a_token_of_the_environment(
    call, monkeypatch, tmp_path
):
    token = to_token(Invitation(cluster="c", addresses=["tcp://127.0.0.1:1"], secret="s3cret"))
    monkeypatch.setenv("HOCKET_SECURITY__TOKEN", token)
    answer = call("token", "--address", "tcp://127.0.0.1:2")
    # (There is no secret for that one.)
    assert from_token(token).addresses != ["tcp://127.0.0.1:2"]
    assert "127.0.0.1:1" not in answer.output + str(answer.exception)
    answer = call("status", "--address", "tcp://127.0.0.1:2", "--scheduler-file", str(tmp_path))
    assert "give one of them" in str(answer.exception)


def test_a_verb_that_is_none_is_refused_with_what_was_meant(call):
    assert "no verb 'shceduler'; did you mean scheduler?" in call("shceduler").output
    assert "there is scheduler, worker" in call("xyzzy").output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("scheduler", "--port", "many"), "'many': it must be a port"),
        (("scheduler", "--port", "9-5"), "a range such as"),
        (("worker", "--set", "worker.thraeds=3"), "worker.thraeds"),
        (("worker", "--nworkers", "0"), "from the command line cannot be '0'"),
        (("status", "--set", "nonsense"), "write it as NAME=VALUE"),
        (("worker", "--resources", "GPU"), "GPU"),
        (("status",), "no scheduler was started"),
        (("worker", "--scheduler-file", "/no/such/file", "--connect-timeout", "0.01"), "/no/such"),
        (("status", "--scheduler-file", "/no/such/file"), "cannot be read"),
        (("run", "/no/such/script.py"), "does not exist"),
        (("token", "--role", "king"), "king"),
    ],
)
def test_what_cannot_be_is_refused(call, arguments, expected):
    answer = call(*arguments)
    assert answer.exit_code != 0
    told = answer.output + str(answer.exception)
    assert expected in told, told


@pytest.mark.parametrize("verb", [("worker",), ("status", "--address"), ("why", "k", "--address")])
def test_a_token_on_a_command_line_is_refused_and_not_repeated(call, verb):
    token = to_token(Invitation(cluster="c", addresses=["tcp://127.0.0.1:1"], secret="s3cret"))
    answer = call(*verb, token)
    assert answer.exit_code == 2
    assert "HOCKET_SECURITY__TOKEN" in answer.output
    assert token not in answer.output


def invitation(role=Role.WORKER):
    secret = parse_secret("s").to_text(role, bytes(32))
    return Invitation(cluster="c", addresses=["tls://10.0.0.1:1"], secret=secret)


@pytest.mark.parametrize("role", [Role.CLIENT, Role.WORKER, Role.OBSERVER])
def test_a_token_has_the_key_of_its_role(call, own_directory, role):
    remember_cluster(str(own_directory), invitation())
    answer = call("token", "--role", role.name.lower())
    assert answer.exit_code == 0
    found = from_token(answer.output)
    assert found.addresses == ["tls://10.0.0.1:1"]
    credentials = parse_secret(found.secret)
    assert credentials.role is role
    assert credentials.key(Role.OBSERVER) == parse_secret("s").key(Role.OBSERVER)


def test_a_stronger_token_than_what_is_known_cannot_be_made(call, tmp_path):
    file = tmp_path / "s.json"
    write_scheduler_file(file, invitation(Role.CLIENT))
    answer = call("token", "--role", "worker", "--scheduler-file", str(file))
    assert answer.exit_code == 1
    assert "does not let a worker in" in str(answer.exception)


def test_a_secret_is_replaced_on_the_schedulers_host_alone(call, tmp_path):
    file = tmp_path / "s.json"
    write_scheduler_file(file, invitation())
    answer = call("token", "--replace", "--scheduler-file", str(file))
    assert answer.exit_code == 1
    assert "run this where it was started" in answer.output


def test_errors_are_one_line_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hocket", "status"],
        capture_output=True,
        text=True,
        check=False,
        env={"HOCKET_SECURITY__DIRECTORY": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("python -m hocket: ")
    assert done.stderr.count("\n") == 1


def test_help_imports_no_event_loop_and_no_tables():
    program_text = (
        "import sys, json; sys.argv = ['hocket', '--help']\n"
        "from hocket.deploy.cli.program import run\n"
        "run(); print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program_text], capture_output=True, text=True, check=True
    )
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert not modules & {"asyncio", "rich", "numpy", "msgspec", "hocket.scheduler", "cryptography"}


def test_a_summary_counts():
    facts = {
        "workers": {
            f"tcp://h{n}:1": {
                "name": f"w{n}",
                "host": f"h{n % 2}",
                "pid": n,
                "nthreads": 2,
                "assigned": 1000,
                "held": 3,
                "held_nbytes": 1024,
                "memory_limit": 0,
                "resources": {"GPU": 1.0, "memory": 5.0},
                "leaves_in_s": [None, 90.0, 0.0][n],
            }
            for n in (2, 1, 0)
        }
    }
    rows = rows_of(facts)
    assert [row.name for row in rows] == ["w0", "w1", "w2"]
    assert rows[0].cells() == (
        *("w0", "h0", "0", "2", "1,000"),
        *("3", "1 KiB", "none", "", "GPU: 1"),
    )
    assert rows[1].cells()[-2] == "1.5 min"
    assert summary_of(rows) == (
        "3 workers on 2 hosts, 6 threads; 3,000 tasks given out, 9 values of 3 KiB held"
    )
    assert "no workers" in summary_of([])
