"""Flags that are settings: what a flag says overrides the environment and the settings file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from hocket.core.errors import SettingsError
from hocket.core.settings import ENVIRONMENT_PREFIX, Settings, setting_kinds
from hocket.core.settings_file import load_settings
from hocket.protocol.invitation import is_token

__all__ = [
    "given",
    "log_to_stderr",
    "refuse_token",
    "setting_flag",
    "settings_flags",
    "settings_of",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: Where the click context keeps which flag stands for which setting.
_FLAGS: Final = "hocket.flags"
#: What errors call the layer of settings that flags go into.
_CODE: Final = "code"


def setting_flag(
    flag: str, name: str, metavar: str = "", *, short: str = ""
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds a flag for a setting.

    Parameters
    ----------
    flag
        Such as ``--port``.
    name
        Of the setting, such as ``scheduler.port``; its words are the flag's help.
    metavar
        How the help calls the value; empty: the flag has none, and switches something on.
    short
        The same in one letter.
    """
    section, _, key = name.partition(".")
    doc = setting_kinds()[section][key].doc
    variable = f"{ENVIRONMENT_PREFIX}{section}__{key}".upper()

    def note(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None:
            ctx.meta.setdefault(_FLAGS, {})[name] = value
        return value

    return click.option(
        *filter(None, (short, flag)),
        **({"metavar": metavar} if metavar else {"flag_value": "yes", "is_flag": True}),
        help=f"{doc}  [{name}, {variable}]",
        callback=note,
        expose_value=False,
    )


def settings_flags(command: _Command) -> _Command:
    """Add the flags that give any setting, or a file of them."""
    command = click.option(
        "--settings",
        "settings_file",
        metavar="FILE",
        help="A settings file (YAML), in place of the one that HOCKET_SETTINGS_FILE names.",
    )(command)
    return click.option(
        "--set",
        "overrides",
        metavar="NAME=VALUE",
        multiple=True,
        help="Any setting, such as worker.memory_limit='2 GiB'; may be given again.",
    )(command)


def given(name: str) -> str | None:
    """Return what the flag of a setting says; None: it was not given."""
    return _flags().get(name)


def _flags() -> Mapping[str, str]:
    flags: Mapping[str, str] = click.get_current_context().meta.get(_FLAGS, {})
    return flags


def settings_of(settings_file: str | None, overrides: tuple[str, ...]) -> Settings:
    """Return the settings of this process, with what its flags say.

    Raises
    ------
    SettingsError
        A name or a value is wrong.
    click.UsageError
        A ``--set`` is not of the form NAME=VALUE.
    """
    told: dict[str, object] = {}
    for text in overrides:
        name, separator, value = text.partition("=")
        if not separator:
            raise click.UsageError(f"--set {text}: write it as NAME=VALUE")
        told[name.strip()] = value
    try:
        return load_settings(settings_file, overrides={**told, **_flags()})
    except SettingsError as error:
        if error.source != _CODE:
            raise
        raise SettingsError(
            name=error.name, value=error.value, allowed=error.allowed, source="the command line"
        ) from None


def log_to_stderr() -> None:
    """Have what this process and those under it log shown, with the time."""
    import logging  # noqa: PLC0415 (not for --help)

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def refuse_token(address: str | None) -> None:
    """Refuse a secret where everybody on the host can read it.

    Raises
    ------
    click.UsageError
        The address is a token.
    """
    if address is not None and is_token(address):
        raise click.UsageError(
            "everybody on this host can read a token on a command line: put it into the variable"
            f" {ENVIRONMENT_PREFIX}SECURITY__TOKEN, or into a file for --scheduler-file"
        )
