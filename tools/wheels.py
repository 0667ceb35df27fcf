"""Wheels: building them, looking into them, and testing each package with nothing else there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import environment
from workspace import ROOT, Failure, Package, packages, requirement_name

#: Environments filled at once: installing and testing use about a core each.
PARALLEL = 2


def build(folder: Path) -> dict[str, Path]:
    """Build the wheel of every package into a folder; return them by distribution.

    Raises
    ------
    Failure
        A build failed, or a wheel has what it must not have or lacks what it must have.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wheels: dict[str, Path] = {}
    with ThreadPoolExecutor(PARALLEL) as pool:
        for package, wheel in zip(
            packages(), pool.map(lambda each: _build_one(each, folder), packages()), strict=True
        ):
            wheels[package.name] = wheel
            faults = list(faults_of_wheel(package, wheel))
            if faults:
                raise Failure("\n".join(faults))
    print(f"wheels: {len(wheels)} built, into {folder.name}/")
    return wheels


def faults_of_wheel(package: Package, wheel: Path) -> Iterator[str]:
    """Yield what is wrong with a wheel."""
    names = zipfile.ZipFile(wheel).namelist()
    own = [name for name in names if ".dist-info/" not in name]
    if "hocket/__init__.py" in names:
        yield f"{wheel.name}: hocket is a namespace, and hocket/__init__.py ends it"
    for name in own:
        if not name.startswith("hocket/"):
            yield f"{wheel.name}: {name} is outside the namespace"
    for module in package.modules:
        if f"{module.replace('.', '/')}/py.typed" not in names:
            yield f"{wheel.name}: {module} has no py.typed"
        if not any(name.startswith(f"{module.replace('.', '/')}/") for name in own):
            yield f"{wheel.name}: {module} is missing"
    hook = package.folder / "hatch_build.py"
    if hook.exists() and wheel.stem.endswith("-any") and shutil.which("cc"):
        yield f"{wheel.name}: nothing in it is compiled, and there is a C compiler"
    if not any("/licenses/" in name or name.endswith("LICENSE") for name in names):
        yield f"{wheel.name}: the licence is missing"


def test_alone(chosen: Sequence[Package]) -> None:
    """Run each package's tests in an environment with its wheel and what that requires, alone.

    Raises
    ------
    Failure
        A test failed, or a package needs what it does not declare.
    """
    chosen = list(chosen) or packages()
    with tempfile.TemporaryDirectory(prefix="hocket-isolation-") as scratch:
        wheels = build(Path(scratch) / "wheels")
        with ThreadPoolExecutor(PARALLEL) as pool:
            whole = list(pool.map(lambda each: _test_one(each, wheels, Path(scratch)), chosen))
    failed = [package.name for package, good in zip(chosen, whole, strict=True) if not good]
    if failed:
        raise Failure(f"not whole when alone: {', '.join(failed)}")


def closure(package: Package, known: Sequence[Package]) -> list[Package]:
    """Return a package and all of ours that it declares to need, however far."""
    by_name = {each.name: each for each in known}
    found: dict[str, Package] = {package.name: package}
    open_ends = [package]
    while open_ends:
        for requirement in open_ends.pop().dependencies:
            name = requirement_name(requirement)
            if name in by_name and name not in found:
                found[name] = by_name[name]
                open_ends.append(by_name[name])
    return list(found.values())


def _build_one(package: Package, folder: Path) -> Path:
    # Each into a folder of its own, so that what it made is known without guessing its name.
    target = folder / package.folder.name
    uv = environment.find_uv()
    command: list[str | Path] = [environment.PYTHON, "-m", "build", "--wheel", "--outdir", target]
    if uv is not None:
        command = [uv, "build", "--quiet", "--wheel", "--python", environment.PYTHON]
        command += ["--out-dir", target]
    # Where it can be compiled, it is, or says what is wrong.
    told = {"HOCKET_PARQUET_BUILD": "compiled"} if shutil.which("cc") else {}
    _quietly([*command, package.folder], f"building {package.name}", variables=told)
    (made,) = target.glob("*.whl")
    wheel = made.rename(folder / made.name)
    shutil.rmtree(target)
    return wheel


def _test_one(package: Package, wheels: dict[str, Path], scratch: Path) -> bool:
    """Return whether a package passes alone; tell what it did in one piece."""
    began = time.monotonic()
    room = scratch / package.folder.name
    try:
        python = _make_room(package, wheels, room)
        code = "; ".join(f"import {module}" for module in package.modules) or "pass"
        _quietly([python, "-I", "-c", code], f"importing {package.name}", cwd=room)
        summary = "no tests"
        if any((package.folder / "tests").rglob("test_*.py")):
            # Isolated, so that neither the folder nor variables add to what can be imported.
            pytest: list[str | Path] = [python, "-I", "-m", "pytest", "-q", "-m", "not slow"]
            pytest += ["-p", "no:cacheprovider", "-c", room / "pyproject.toml", "--rootdir", room]
            # Where models lie that several of its tests share.
            pytest += ["-o", "pythonpath=tests"]
            output = _quietly([*pytest, room / "tests"], f"testing {package.name}", cwd=room)
            summary = output.strip().splitlines()[-1].strip("= ")
    except Failure as failure:
        print(f"isolation: {package.name} FAILED\n{failure}", flush=True)
        return False
    print(f"isolation: {package.name}: {summary} ({time.monotonic() - began:.0f} s)", flush=True)
    return True


def _make_room(package: Package, wheels: dict[str, Path], room: Path) -> Path:
    """Make an environment and a copy of the tests in a folder; return its Python."""
    room.mkdir()
    python = room / "venv" / environment.PYTHON.relative_to(environment.VENV)
    # Our own come as files, never by name: an index may have others of the same name.
    ours = [wheels[each.name] for each in closure(package, packages())]
    for requirement in package.test_dependencies:
        name = requirement_name(requirement)
        if name in wheels:
            raise Failure(f"the tests of {package.name} may not need {name}; move them to tests/")
    wanted: list[str | Path] = [*ours, *package.test_dependencies]
    uv = environment.find_uv()
    if uv is not None:
        interpreter = environment.PYTHON
        _quietly([uv, "venv", "--quiet", "--python", interpreter, room / "venv"], "making a venv")
        install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        _quietly([sys.executable, "-m", "venv", room / "venv"], "making a venv")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _quietly([*install, *wanted], f"installing {package.name}")
    if (package.folder / "tests").exists():
        shutil.copytree(
            package.folder / "tests",
            room / "tests",
            ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"),
        )
    # A package's folder without its source; the configuration is the workspace's.
    shutil.copy(package.folder / "README.md", room)
    shutil.copy(ROOT / "pyproject.toml", room)
    return python


def _quietly(
    command: Sequence[str | Path],
    what: str,
    *,
    cwd: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Return what a program prints; if it fails, fail with that."""
    # No path of the developer's own, and none of the environment that this runs in.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **(variables or {})},
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise Failure(f"{what} failed:\n{done.stdout}")
    return done.stdout
