"""The command itself: from arguments to the verb, from errors to one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final, cast

import click

__all__ = ["main", "run"]

#: Every verb and what it does; its module is imported when it is called or asked for help.
_VERBS: Final = {
    "scheduler": "Run a scheduler.",
    "worker": "Run workers.",
    "status": "Show the workers of a cluster, and what they have to do.",
    "top": "Watch them.",
    "why": "Explain where tasks are, and what they wait for.",
    "logs": "Show what workers logged, and what tasks printed there.",
    "run": "Run a script beside a cluster that ends with it.",
    "doctor": "Find out what is wrong: addresses, versions, clocks, limits.",
    "token": "Print a word that lets its bearer join.",
}
_FAILED: Final = 1
#: What a shell says of a program that a signal ended, plus the signal's number.
_INTERRUPTED: Final = 128 + 2


class _Verbs(click.Group):
    """The verbs, without importing what they need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, in the order in which a newcomer meets them."""
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        del ctx
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"hocket.deploy.cli.{cmd_name}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that arguments begin with; say which there are if there is none."""
        if args and args[0] not in _VERBS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 (only for those who mistype)

            near = difflib.get_close_matches(args[0], _VERBS, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(_VERBS)}"
            raise click.UsageError(f"no verb {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="VERB ...",
)
def main() -> None:
    """Clusters of hocket: start their processes, look into them, find out what is wrong.

    Each flag is a setting as well, in a file or in the environment; hocket VERB --help says which.
    """


def run(program: str = "hocket") -> int:
    """Do what the arguments of this process say; return the exit code."""
    try:
        code = main(prog_name=program, standalone_mode=False)
    except click.exceptions.Exit as stopped:
        return stopped.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough. What is still buffered must not be an error at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except Exception as error:
        from hocket.core.errors import HocketError, InternalError  # noqa: PLC0415 (not for --help)

        if isinstance(error, InternalError) or not isinstance(error, HocketError | OSError):
            raise
        click.echo(f"{program}: {error}", err=True)
        return _FAILED
    return code if isinstance(code, int) else 0
