"""Running the commands of batch systems, for no longer than they should take."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO, Final

from hocket.deploy.backends.backend import Output
from hocket.deploy.errors import CommandFailed

__all__ = ["run_at_exit", "run_program"]

_OUTPUT_NBYTES_MAX: Final = 64 << 20


async def run_program(command: Sequence[str], timeout_s: float) -> Output:
    """Run a command to its end, in a thread.

    Raises
    ------
    CommandFailed
        There is no such program, or it took too long. (An exit code is no failure here.)
    """
    return await asyncio.to_thread(_run, list(command), timeout_s)


def run_at_exit(command: Sequence[str], timeout_s: float) -> Output:
    """Run a command to its end, in this thread, for which nobody waits any more.

    Raises
    ------
    CommandFailed
        As for `run_program`.
    """
    return _run(list(command), timeout_s)


def _run(command: list[str], timeout_s: float) -> Output:
    shown = " ".join(command[:4])
    if shutil.which(command[0]) is None:
        raise CommandFailed(
            command=shown,
            complaint=f"there is no program {command[0]!r} here; is this a host from which jobs are"
            " submitted?",
        )
    # (Files, since a pipe that nobody reads stops its writer.)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(  # noqa: S603 - the batch system's own commands
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # Ctrl-C is not meant for it; and what it started ends with it.
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(command=shown, complaint=str(error)) from None
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            complaint = f"it has not ended within {timeout_s:g} s"
        else:
            return Output(command, code, _read(out), _read(err))
        finally:
            if process.returncode is None:
                _end(process)
        raise CommandFailed(command=shown, complaint=complaint)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_OUTPUT_NBYTES_MAX).decode(errors="replace")
