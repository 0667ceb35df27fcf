"""Reading what settings come from: the process's environment, the settings file, the secret file.

These are the only functions of `hocket.core` that look outside the process.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hocket.core.errors import SettingsError
from hocket.core.setting_kinds import Words
from hocket.core.settings import FILE_VARIABLE, SecuritySettings, Settings

__all__ = ["load_settings", "read_secret"]

_SETTINGS_NBYTES_MAX: Final = 1 << 20
_SECRET_NBYTES_MAX: Final = 10_000


def load_settings(
    file: str | os.PathLike[str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings of this process: defaults, then file, then environment, then code.

    Parameters
    ----------
    file
        A YAML file. Without it, the one that the variable ``HOCKET_SETTINGS_FILE`` names, if any;
        no other place is searched.
    environment
        Variables to read instead of the process's own.
    overrides
        From code: nested mappings or dotted names.

    Raises
    ------
    SettingsError
        A name or a value is wrong, or the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    source = "code"
    if file is None and environment.get(FILE_VARIABLE):
        file, source = environment[FILE_VARIABLE], f"the environment variable {FILE_VARIABLE}"
    text = None
    if file is not None:
        content = _read(Path(file), "(file)", source, _SETTINGS_NBYTES_MAX)
        text = _decode(content, str(file))
    return Settings.build(text, environment, overrides, file_name=os.fspath(file or ""))


def read_secret(security: SecuritySettings) -> bytes:
    """Return the cluster's secret, from the setting or from the file it names; empty if none.

    Raises
    ------
    SettingsError
        The file cannot be read, is empty, or others than its owner may read it.
    """
    if security.secret:
        return security.secret.encode()
    if not security.secret_file:
        return b""
    name = "security.secret_file"
    path = Path(security.secret_file)
    content = _read(path, name, "the settings", _SECRET_NBYTES_MAX, private=True)
    secret = content.strip()
    if not secret:
        raise SettingsError(
            name=name, value=str(path), allowed="the file is empty", source="the settings"
        )
    return secret


def _read(path: Path, name: str, source: str, nbytes_max: int, *, private: bool = False) -> bytes:
    """Return what a plain file holds, if it is small enough and, where asked, its owner's only."""
    problem = ""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(nbytes_max + 1)
    except OSError as error:
        problem = f"the file cannot be read: {error.strerror}"
    else:
        if private and os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            problem = f"others may read the file; run: chmod 600 {path}"
        elif len(content) > nbytes_max:
            problem = f"the file holds more than {nbytes_max} bytes"
        else:
            return content
    raise SettingsError(name=name, value=str(path), allowed=problem, source=source)


def _decode(content: bytes, file_name: str) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return content.decode("utf-8")
    # Out here it has no context: the decoder's error holds the whole file, secrets and all.
    raise SettingsError(
        name="(all)", value=Words("read"), allowed="it is not UTF-8 text", source=file_name
    )
