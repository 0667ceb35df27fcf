"""The one-line map: it makes its cluster, uses it again, and takes it along when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import os
    import hocket.client

    def square(x):
        return os.getpid(), x * x

    if __name__ == "__main__":
        pids, squares = zip(*hocket.client.map(square, range(1000)))
        assert list(squares) == [x * x for x in range(1000)]
        assert os.getpid() not in pids
        again = {pid for pid, _ in hocket.client.map(square, range(100))}
        cluster = hocket.client.current_client().cluster
        assert set(pids) | again <= set(cluster.worker_pids.values())
        print(*cluster.worker_pids.values(), cluster.scheduler_pid)
"""


@pytest.mark.slow
def test_a_program_of_one_line(tmp_path: object) -> None:
    program = f"{tmp_path}/program.py"
    with open(program, "w") as file:  # noqa: PTH123
        file.write(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for pid in done.stdout.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
