"""What a process said lately: in a process of its own, since it takes over streams and logging."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

PROGRAM = """
    import json
    import logging
    import sys
    import threading
    import warnings

    from hocket.core.recent_logs import read_recent
    from hocket.worker.shell.recording import capture, recent_lines
    from hocket.core.task_context import PROVIDER, TaskContext

    capture()
    capture()
    logging.getLogger("a").warning("warned %d", 1)
    logging.getLogger("a").info("not said")
    print("one\\ntwo")
    print("begun ", end="")
    other = threading.Thread(target=print, args=("from a thread",))
    other.start()
    other.join()
    print("and ended")
    PROVIDER.set(lambda: TaskContext("the-task", 1, "w"))
    print("in a task", file=sys.stderr)
    assert sys.stdout.encoding
    assert read_recent() == []
    lines = [(one.level, one.logger, one.task, one.text) for one in recent_lines()]
    for _ in range(11_000):
        logging.getLogger("a").error("x" * 10_000) if _ == 0 else print("x" * 10_000)
    sys.stderr.flush()
    assert len(recent_lines()) == 10_000
    assert max(len(one.text) for one in recent_lines()) == 4000
    sys.stdout.write(json.dumps(lines) + "\\n")
"""


def test_lines_are_kept_and_passed_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["WARNING", "a", "", "warned 1"],
        ["STDOUT", "", "", "one"],
        ["STDOUT", "", "", "two"],
        ["STDOUT", "", "", "from a thread"],
        ["STDOUT", "", "", "begun and ended"],
        ["STDERR", "", "the-task", "in a task"],
    ]
    assert done.stdout.startswith("one\ntwo\nbegun from a thread\nand ended\n")
    # What Python logs by itself where nobody has said how stays as it is.
    assert done.stderr.startswith("warned 1\nin a task\n")
