"""Processes under one command: started anew when they die, ended when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

START = """
    import json, os, signal, sys, time
    from hocket.deploy.supervising import supervise

    def say(*words):
        os.write(1, json.dumps(words).encode() + b"\\n")
"""


def run(program, timeout_s=60.0, during=None):
    """Run a program; return its exit code and what it said, after having sent it signals."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(START) + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        said.append(json.loads(line))
        if during is not None:
            during(process, said)
    code = process.wait(timeout_s)
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    return code, said, errors


def test_all_run_and_the_end_of_all_is_the_end():
    code, said, errors = run(
        """
        code = supervise(3, lambda index, before: say(index, before) or 0, restart=True)
        sys.exit(code)
        """
    )
    assert (code, errors) == (0, "")
    assert sorted(said) == [[0, 0], [1, 0], [2, 0]]


def test_one_that_died_is_started_anew_and_one_that_cannot_work_is_not():
    code, said, errors = run(
        """
        def child(index, before):
            say(index, before)
            if index == 0 and before < 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return 78 if index == 1 else 0
        sys.exit(supervise(2, child, restart=True))
        """
    )
    assert code == 78
    assert sorted(said) == [[0, 0], [0, 1], [0, 2], [1, 0]]
    assert errors.count("killed by signal 9 (SIGKILL); it is replaced") == 2


def test_without_restarts_the_death_is_the_exit_code():
    code, said, _ = run(
        """
        def child(index, before):
            say(index)
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(supervise(1, child, restart=False))
        """
    )
    assert (code, said) == (128 + 9, [[0]])


def test_an_error_of_a_child_is_shown():
    code, _, errors = run(
        """
        def child(index, before):
            raise RuntimeError("no good")
        sys.exit(supervise(1, child, restart=False))
        """
    )
    assert code == 70
    assert "RuntimeError: no good" in errors


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2"])
def test_signals_are_passed_on_and_nobody_is_started_after_them(name):
    def during(process, said):
        if said.count(["ready"]) == 2 and ["sent"] not in said:
            said.append(["sent"])
            process.send_signal(getattr(signal, name))

    code, said, errors = run(
        """
        def child(index, before):
            got = []
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(number, lambda number, _: got.append(number))
            say("ready")
            while not got:
                time.sleep(0.01)
            say(signal.Signals(got[0]).name)
            os._exit(3)
        sys.exit(supervise(2, child, restart=True))
        """,
        during=during,
    )
    assert (code, errors) == (3, "")
    assert sorted(said) == sorted([["ready"], ["ready"], ["sent"], [name], [name]])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children")
def test_children_die_with_the_command_that_is_killed():
    def during(process, said):
        if len(said) == 2:
            process.kill()

    code, said, _ = run(
        """
        def child(index, before):
            say(os.getpid())
            time.sleep(60)
        supervise(2, child, restart=True)
        """,
        during=during,
    )
    # (The pipe was closed by both, so both are gone.)
    assert code == -9
    assert len(said) == 2
