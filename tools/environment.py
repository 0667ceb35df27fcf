"""The environment .venv: made once, refreshed when a pyproject changes, free of cost otherwise."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from workspace import ROOT, Failure, packages, requirement_name, run

VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if sys.platform == "win32" else "bin")
PYTHON = SCRIPTS / ("python.exe" if sys.platform == "win32" else "python")

#: What hocket is compared with lives apart, so that neither sees the other's dependencies.
PEERS_VENV = ROOT / ".venvs" / "peers"
PEERS_REQUIREMENTS = ROOT / "benchmarks" / "peers-requirements.txt"

#: Says which state of the pyproject files .venv was made from.
STAMP = VENV / "hocket-setup-stamp"

NO_VENV = """\
this Python cannot make environments: it has no {module}.
On Debian and Ubuntu: sudo apt-get install python3-venv
Elsewhere: install uv, or name a Python that is complete: make PYTHON=python3.12 ..."""


def setup(*, extra: Sequence[Path] = (), use_uv: bool = True) -> None:
    """Make .venv with all packages editable, the development tools and every package's test needs.

    It changes nothing, in milliseconds, where all is as the pyproject files say.

    Parameters
    ----------
    extra
        Requirement files to install as well.
    use_uv
        Whether uv may do the installing; pip does it otherwise.
    """
    missing = [path for path in extra if not path.exists()]
    if missing:
        raise Failure(f"{missing[0].relative_to(ROOT)} is not there")
    known = STAMP.read_text(encoding="utf-8").split() if STAMP.exists() else []
    wanted = [_digest([]), *(_digest([path]) for path in extra)]
    if PYTHON.exists() and set(wanted) <= set(known):
        return
    began = time.monotonic()
    print(f"setup: installing into {VENV.relative_to(ROOT)}, which takes a moment", flush=True)
    _make_venv(use_uv=use_uv)
    installer = _installer(use_uv=use_uv)
    STAMP.unlink(missing_ok=True)
    editable = [part for package in packages() for part in ("--editable", package.folder)]
    files = [part for path in extra for part in ("--requirement", path)]
    run([*installer, *editable, *development_requirements(), *files])
    # The files of an earlier verb are still installed, if what they stand beside is the same.
    kept = known if wanted[0] in known else []
    STAMP.write_text("\n".join(dict.fromkeys([*kept, *wanted])), encoding="utf-8")
    print(f"setup: done in {time.monotonic() - began:.1f} s", flush=True)


def peers() -> None:
    """Make the environment of the engines that the benchmarks compare with, if it is not there."""
    stamp = PEERS_VENV / "hocket-setup-stamp"
    wanted = _digest([PEERS_REQUIREMENTS])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"bench: installing the peers into {PEERS_VENV.relative_to(ROOT)}", flush=True)
    python = PEERS_VENV / PYTHON.relative_to(VENV)
    if not python.exists():
        run([sys.executable, "-m", "venv", PEERS_VENV])
    uv = find_uv()
    installer: list[str | Path] = [python, "-m", "pip", "install"]
    if uv is not None:
        installer = [uv, "pip", "install", "--python", python]
    run([*installer, "--quiet", "--requirement", PEERS_REQUIREMENTS])
    stamp.write_text(wanted, encoding="utf-8")


def run_python(*arguments: str) -> None:
    """Run the environment's Python in the workspace."""
    run([PYTHON, *arguments])


def run_tool(name: str, *arguments: str) -> None:
    """Run a program of the environment in the workspace."""
    run([SCRIPTS / name, *arguments])


def find_uv() -> Path | None:
    """Return uv, from .venv or from the path, if it is there."""
    inside = SCRIPTS / "uv"
    if inside.exists():
        return inside
    found = shutil.which("uv")
    return Path(found) if found else None


def development_requirements() -> list[str]:
    """Return the development tools and what the packages' tests need, each once."""
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(root["dependency-groups"]["dev"])
    for package in packages():
        wanted += package.test_dependencies
    # Those of ours come as editable folders.
    ours = {package.name for package in packages()}
    return [each for each in dict.fromkeys(wanted) if requirement_name(each) not in ours]


def _digest(files: Sequence[Path]) -> str:
    """Return what .venv depends on as a short word: of the given files, or of the workspace."""
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
    for path in files or [ROOT / "pyproject.toml", *sorted(ROOT.glob("packages/*/pyproject.toml"))]:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make_venv(*, use_uv: bool) -> None:
    if PYTHON.exists() and _works(PYTHON):
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    uv = shutil.which("uv") if use_uv else None
    if uv is not None:
        run([uv, "venv", "--quiet", "--python", sys.executable, VENV])
        return
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Failure(NO_VENV.format(module=module))
    run([sys.executable, "-m", "venv", VENV])


def _works(python: Path) -> bool:
    """Tell whether an interpreter runs and is of our version: the one it links to may be gone."""
    code = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    try:
        tried = subprocess.run([python, "-c", code], check=False, capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0


def _installer(*, use_uv: bool) -> list[str | Path]:
    """Return the command that installs, up to what it installs: uv's where it can be had."""
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if use_uv and find_uv() is None:
        subprocess.run([*pip, "install", "--quiet", "uv"], check=False, capture_output=True)
    uv = find_uv() if use_uv else None
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", PYTHON]
    if use_uv:
        print("setup: uv cannot be had; pip takes longer", flush=True)
    # Otherwise pip makes an environment for each of our packages to build it in.
    run([*pip, "install", "--quiet", "hatchling", "editables"])
    return [*pip, "install", "--quiet", "--no-build-isolation"]
