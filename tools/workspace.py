"""What the tools know of the workspace: its root, its packages, and how to run a program in it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Failure(Exception):
    """Ends a verb: with a message for the developer, or with none if a program has said it all."""

    def __init__(self, message: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Package:
    """One folder of packages/, as its pyproject.toml describes it."""

    folder: Path
    pyproject: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return str(self.pyproject["project"]["name"])

    @property
    def version(self) -> str:
        """The version of the distribution."""
        return str(self.pyproject["project"]["version"])

    @property
    def dependencies(self) -> list[str]:
        """What it requires, ours and others' alike."""
        return list(self.pyproject["project"].get("dependencies", []))

    @property
    def test_dependencies(self) -> list[str]:
        """What its tests require beyond that."""
        return list(self.pyproject.get("dependency-groups", {}).get("test", []))

    @property
    def modules(self) -> list[str]:
        """The import names that it brings: ``hocket.core``, say."""
        namespace = self.folder / "src" / "hocket"
        return [f"hocket.{child.parent.name}" for child in sorted(namespace.glob("*/__init__.py"))]


def packages(root: Path = ROOT) -> list[Package]:
    """Return all packages of a workspace, in the order of their folders' names."""
    return [
        Package(path.parent, tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(root.glob("packages/*/pyproject.toml"))
    ]


def package_named(name: str) -> Package:
    """Return the package in a folder, or of a distribution, of that name."""
    known = packages()
    for package in known:
        if name in {package.folder.name, package.name}:
            return package
    folders = ", ".join(package.folder.name for package in known)
    raise Failure(f"there is no package {name!r}; there are {folders}", code=2)


def requirement_name(requirement: str) -> str:
    """Return the normalised name in a requirement: ``hocket-core-graph`` in its pinned form."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    if match is None:
        raise Failure(f"not a requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def run(command: Sequence[str | Path], *, cwd: Path = ROOT) -> None:
    """Run a program in the workspace; if it fails, so does the verb, with the program's code."""
    sys.stdout.flush()
    try:
        code = subprocess.run([str(part) for part in command], cwd=cwd, check=False).returncode
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error.strerror}") from error
    if code:
        # A program that a signal ended has a negative code; shells say 128 and the signal.
        raise Failure(code=code if code > 0 else 128 - code)
