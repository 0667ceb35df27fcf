"""What the command can be told."""

from __future__ import annotations

import argparse
from typing import Final

from hocket.parquet.cli.keys import KEY_FORMATS

__all__ = ["VERBS", "make_parser"]

#: By verb: what it does.
VERBS: Final = {
    "info": "rows, sizes, writer, codecs, indexes, encryption",
    "schema": "the tree of columns with their types",
    "head": "the first rows",
    "stats": "each column: minimum, maximum, nulls, sizes, encodings",
    "pages": "the pages of column chunks",
    "verify": "read everything, and tell each place that is damaged",
    "warmup": "compile the kernels, where no library of them is installed",
}

_EPILOG: Final = """\
FILE is a path, an fsspec URL, a directory with Parquet files, or a pattern; several are one dataset
(for verify: each for itself). Exit codes: 0 all right, 1 something is wrong with a file, 2 wrong
arguments, or a file is not there.
"""
_COLUMNS: Final = "only these: names with commas between them; a.b is a part of a nested column"


def make_parser(program: str) -> argparse.ArgumentParser:
    """Return what understands the arguments.

    Parameters
    ----------
    program
        How the command was called, for its help.
    """
    parser = argparse.ArgumentParser(
        prog=program, description="Look into Parquet files.", epilog=_EPILOG
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, help_text in VERBS.items():
        own = verbs.add_parser(
            verb, help=help_text, description=f"{_sentence(help_text)}.", epilog=_EPILOG
        )
        if verb == "warmup":
            continue
        own.add_argument("files", metavar="FILE", nargs="+", help="what to look into")
        _add_output(own, verb)
        _add_selection(own, verb)
        _add_keys(own)
    return parser


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _add_output(parser: argparse.ArgumentParser, verb: str) -> None:
    lines = verb in ("head", "pages")
    parser.add_argument(
        "--json",
        action="store_true",
        help="JSON in place of tables" + (", one object a line" if lines else ""),
    )
    if verb not in ("schema", "verify"):
        parser.add_argument(
            "--width",
            type=_natural,
            metavar="N",
            help="how wide tables may be; 0: any width (default: the terminal)",
        )


def _add_selection(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("--columns", action="append", metavar="NAMES", help=_COLUMNS)
    if verb != "schema":
        parser.add_argument(
            "--row-group", type=_natural, metavar="N", help="only this one, counted from 0"
        )
    if verb == "head":
        parser.add_argument(
            "--rows", type=_natural, default=10, metavar="N", help="how many rows (default: 10)"
        )
    if verb == "verify":
        parser.add_argument(
            "--threads", type=_positive, metavar="N", help="how many at once (default: processors)"
        )


def _add_keys(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "encrypted files", "Keys are read from files or environment variables, and never shown."
    )
    group.add_argument(
        "--footer-key", metavar="KEY", help="env:NAME or file:PATH; also of columns without own key"
    )
    group.add_argument(
        "--column-key",
        action="append",
        metavar="COLUMN=KEY",
        help="a column's own key; may be given several times",
    )
    group.add_argument(
        "--key-format", choices=KEY_FORMATS, default="raw", help="how keys are written there"
    )
    group.add_argument("--aad-prefix", metavar="TEXT", help="the identity that files must have")


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _positive(text: str) -> int:
    count = _natural(text)
    if not 1 <= count <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1024")
    return count
