"""The command itself: from arguments to the verb, from errors to one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from hocket.parquet.cli.arguments import make_parser
from hocket.parquet.cli.output import Output, printable
from hocket.parquet.errors import ColumnMissing, EncryptionError, InvalidOption, ParquetError

__all__ = ["main", "run"]

_ALL_RIGHT: Final = 0
_DAMAGED: Final = 1
_WRONG_ARGUMENTS: Final = 2
#: What a shell says of a program that a signal ended, plus the signal's number.
_INTERRUPTED: Final = 128 + 2
_BROKEN_PIPE: Final = 128 + 13


def run() -> int:
    """Do what the arguments of this process say; return the exit code."""
    return main(sys.argv[1:])


def main(arguments: Sequence[str], program: str = "hocket-parquet") -> int:
    """Do what arguments say; return the exit code.

    Parameters
    ----------
    arguments
        Those behind the program's name.
    program
        How it was called.
    """
    if arguments[:1] == ["warmup"]:
        from hocket.parquet.kernels import warmup  # noqa: PLC0415 - only when asked for

        return warmup.main(arguments[1:], f"{program} warmup")
    try:
        options = make_parser(program).parse_args(arguments)
    except SystemExit as stopped:
        return int(stopped.code or _ALL_RIGHT)
    options.program = f"{program} {options.verb}"
    verb = importlib.import_module(f"hocket.parquet.cli.{options.verb}")
    output = Output(width=getattr(options, "width", None))

    def act() -> int:
        code: int = verb.run(options, output)
        output.flush()
        return code

    return _guarded(act, options.program)


def _guarded(act: Callable[[], int], program: str) -> int:
    try:
        return act()
    except BrokenPipeError:
        # Who reads has seen enough. What is still buffered must not be an error at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (InvalidOption, ColumnMissing) as error:
        text, code = str(error), _WRONG_ARGUMENTS
    except EncryptionError as error:
        text, code = f"{error} (see --footer-key and --column-key)", _DAMAGED
    except ParquetError as error:
        text, code = str(error), _DAMAGED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error or type(error).__name__}"
        code = _WRONG_ARGUMENTS
    except MemoryError:
        text, code = "there is not enough memory", _DAMAGED
    return _tell(program, text, code)


def _tell(program: str, text: str, code: int) -> int:
    sys.stdout.flush()
    Output(sys.stderr, 0).line(f"{program}: {printable(text)}")
    return code
