"""The workspace's tools: packages, requirements, the entry, the environment's stamp, the wheels."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import do
import environment
import wheels
from workspace import ROOT, Failure, Package, package_named, packages, requirement_name, run

FOLDERS = {
    "client",
    "core-graph",
    "deploy",
    "diagnostics",
    "fastparquet",
    "hocket",
    "protocol",
    "scheduler",
    "testing",
    "transport",
    "worker",
}


def test_the_packages_are_those_of_the_design():
    assert {package.folder.name for package in packages()} == FOLDERS


def test_the_meta_distribution_requires_all_others_and_has_nothing_of_its_own():
    meta = package_named("hocket")
    others = {package.name for package in packages()} - {"hocket"}
    assert {requirement_name(each) for each in meta.dependencies} == others
    assert meta.modules == []


def test_a_package_is_found_by_folder_and_by_distribution():
    assert package_named("fastparquet") == package_named("hocket-parquet")
    assert package_named("core-graph").modules == ["hocket.core", "hocket.graph"]
    with pytest.raises(Failure, match="there is no package 'x'; there are client, core-graph"):
        package_named("x")


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("numpy", "numpy"),
        ("PyYAML>=6", "pyyaml"),
        ("hocket_core.graph==1", "hocket-core-graph"),
        ("dask[array] >=2025.1; python_version > '3'", "dask"),
    ],
)
def test_the_name_in_a_requirement(requirement, name):
    assert requirement_name(requirement) == name


def package(name, *dependencies):
    project = {"name": name, "version": "1", "dependencies": list(dependencies)}
    return Package(Path(name), {"project": project})


def test_the_closure_is_what_is_declared_however_far():
    low, middle, high = package("low"), package("middle", "low>=1"), package("high", "middle", "x")
    known = [low, middle, high, package("other", "high")]
    assert wheels.closure(low, known) == [low]
    assert wheels.closure(high, known) == [high, middle, low]
    ring = [package("a", "b"), package("b", "a")]
    assert wheels.closure(ring[0], ring) == ring


def test_the_closures_of_the_workspace_follow_the_floors():
    def names(folder):
        return {each.name for each in wheels.closure(package_named(folder), packages())}

    assert names("core-graph") == {"hocket-core-graph"}
    assert names("fastparquet") == {"hocket-parquet"}
    assert names("protocol") == {"hocket-protocol", "hocket-core-graph"}
    assert "hocket-parquet" not in names("deploy")
    assert not {"hocket-deploy", "hocket-testing"} & names("client")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["hocket/__init__.py"], "hocket is a namespace"),
        (["hocket/core/py.typed", "tests/test_x.py"], "tests/test_x.py is outside"),
        (["hocket/graph/__init__.py"], "hocket.core has no py.typed"),
        (["hocket/graph/__init__.py"], "hocket.core is missing"),
        (["hocket/core/py.typed"], "the licence is missing"),
    ],
)
def test_a_faulty_wheel_is_told(tmp_path, files, says):
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in files:
            archive.writestr(name, "")
    told = list(wheels.faults_of_wheel(package_named("core-graph"), wheel))
    assert any(says in fault for fault in told)


def test_a_wheel_that_could_have_been_compiled_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: "cc")

    def told(name):
        zipfile.ZipFile(tmp_path / name, "w").close()
        faults = wheels.faults_of_wheel(package_named("fastparquet"), tmp_path / name)
        return any("nothing in it is compiled" in fault for fault in faults)

    assert told("x-1-py3-none-any.whl")
    assert not told("x-1-py3-none-linux_x86_64.whl")
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert not told("x-1-py3-none-any.whl")


def test_every_chore_in_the_help_is_there_and_the_other_way_round():
    told = {line.split()[0] for line in do.__doc__.splitlines() if line.startswith("    ")}
    assert told == set(do.VERBS)


def test_every_chore_is_a_make_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = [line for line in makefile.splitlines() if line.startswith("VERBS :=")]
    assert set(targets.split()[2:]) == set(do.VERBS) - {"unit"}  # Which has an argument.


def test_the_entry_tells_what_it_does_not_know(capsys):
    assert do.main(["frobnicate"]) == 2
    assert "there is no verb 'frobnicate'; there are setup" in capsys.readouterr().err
    assert do.main([]) == 0
    assert "the one entry" in capsys.readouterr().out.lower()
    assert do.main(["unit"]) == 1
    assert "which package?" in capsys.readouterr().err


def test_the_entry_hands_on_the_code_of_what_failed(monkeypatch):
    code = f"{sys.executable} -c 'import sys; sys.exit(7)'"
    monkeypatch.setitem(do.VERBS, "test", lambda _: run(["sh", "-c", code]))
    assert do.main(["test"]) == 7
    monkeypatch.setitem(do.VERBS, "test", lambda _: run(["sh", "-c", "kill -9 $$"]))
    assert do.main(["test"]) == 137
    monkeypatch.setitem(do.VERBS, "test", lambda _: run(["no-such-program"]))
    assert do.main(["test"]) == 1


@pytest.mark.parametrize(("keep", "arguments"), [("", []), ("0", []), ("1", ["--keep"])])
def test_the_demo_stays_up_when_asked(monkeypatch, keep, arguments):
    ran = []
    monkeypatch.setenv("KEEP", keep)
    monkeypatch.setattr(environment, "setup", lambda **_: None)
    monkeypatch.setattr(environment, "run_python", lambda *command: ran.append(command))
    do.demo([])
    report = str(ROOT / "build" / "flights-report.html")
    assert ran[-1] == ("examples/flights/demo.py", "--report", report, *arguments)


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A workspace of one package, in which installing is written down and not done."""
    (tmp_path / "packages/one").mkdir(parents=True)
    (tmp_path / "packages/one/pyproject.toml").write_text("one", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("root", encoding="utf-8")
    (tmp_path / ".venv").mkdir()
    python = tmp_path / ".venv/python"
    python.symlink_to(sys.executable)
    (tmp_path / "demo.txt").write_text("pandas", encoding="utf-8")
    installed = []
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", python)
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv/stamp")
    monkeypatch.setattr(environment, "packages", list)
    monkeypatch.setattr(environment, "development_requirements", list)
    monkeypatch.setattr(environment, "_installer", lambda **_: ["install"])
    monkeypatch.setattr(environment, "run", installed.append)
    return tmp_path, installed


def test_setup_installs_once_and_again_when_a_pyproject_changes(workshop):
    root, installed = workshop
    environment.setup()
    environment.setup()
    assert installed == [["install"]]
    (root / "packages/one/pyproject.toml").write_text("two", encoding="utf-8")
    environment.setup()
    environment.setup()
    assert len(installed) == 2


def test_the_needs_of_a_demo_are_installed_once_and_kept(workshop):
    root, installed = workshop
    environment.setup()
    environment.setup(extra=[root / "demo.txt"])
    environment.setup(extra=[root / "demo.txt"])
    environment.setup()
    assert installed == [["install"], ["install", "--requirement", root / "demo.txt"]]
    with pytest.raises(Failure, match=r"none\.txt is not there"):
        environment.setup(extra=[root / "none.txt"])


def test_a_setup_that_failed_is_done_again(workshop, monkeypatch):
    _, installed = workshop

    def fail(command):
        installed.append(command)
        raise Failure(code=3)

    monkeypatch.setattr(environment, "run", fail)
    for _ in range(2):
        with pytest.raises(Failure):
            environment.setup()
    assert len(installed) == 2


def test_an_environment_whose_python_is_gone_is_made_anew(workshop, monkeypatch):
    root, installed = workshop
    (root / ".venv/python").unlink()
    (root / ".venv/python").symlink_to(root / "gone")
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)

    def make(command):
        installed.append(command)
        (root / ".venv").mkdir(exist_ok=True)

    monkeypatch.setattr(environment, "run", make)
    environment.setup()
    assert [sys.executable, "-m", "venv", root / ".venv"] in installed


def test_an_environment_of_another_python_is_made_anew(workshop, monkeypatch):
    root, _ = workshop
    assert environment._works(root / ".venv/python")
    monkeypatch.setattr(environment.sys, "version_info", (3, 99, 0))
    assert not environment._works(root / ".venv/python")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_that_cannot_make_environments_is_told_how_to(workshop, monkeypatch, module):
    root, _ = workshop
    (root / ".venv/python").unlink()
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    monkeypatch.setattr(
        environment.importlib.util, "find_spec", lambda name: None if name == module else name
    )
    with pytest.raises(Failure, match=f"no {module}.\n.*python3-venv"):
        environment.setup()


def test_the_development_requirements_name_all_tools_and_none_of_ours():
    names = [requirement_name(each) for each in environment.development_requirements()]
    assert {"pytest", "hypothesis", "ruff", "mypy", "import-linter"} <= set(names)
    assert not any(name.startswith("hocket") for name in names)


def test_an_old_python_is_told_which_is_needed(tmp_path):
    # What the check compares is handed to a copy; everything below it could not even be imported.
    text = (ROOT / "tools/do.py").read_text(encoding="utf-8")
    old = text.replace("sys.version_info < (3, 11)", "sys.version_info < (4, 0)")
    assert old != text
    (tmp_path / "do.py").write_text(old, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, tmp_path / "do.py", "setup"], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert "needs Python 3.11 or later" in ran.stderr
    assert "make PYTHON=" in ran.stderr


def test_the_steps_of_ci_are_executable_and_begin_with_the_test_of_the_readme():
    steps = sorted(path for path in (ROOT / "ci").iterdir() if path.name[0].isdigit())
    assert steps[0].name == "10-test"
    assert "make test" in steps[0].read_text(encoding="utf-8")
    for path in [*steps, ROOT / "ci/debian-packages", ROOT / ".ci/run"]:
        assert os.access(path, os.X_OK)


def test_ci_stops_at_the_first_red_step(tmp_path):
    (tmp_path / ".ci").mkdir()
    (tmp_path / "ci").mkdir()
    run_file = tmp_path / ".ci/run"
    run_file.write_bytes((ROOT / ".ci/run").read_bytes())
    for name, line in [
        ("debian-packages", "echo zero"),
        ("10-a", "echo one $CI"),
        ("20-b", "exit 5"),
        ("30-c", "echo three"),
    ]:
        step = tmp_path / "ci" / name
        step.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        step.chmod(0o755)
    ran = subprocess.run(["bash", run_file], check=False, capture_output=True, text=True)
    assert ran.returncode == 5
    assert "one true" in ran.stdout
    assert "20-b FAILED with code 5" in ran.stdout
    assert "three" not in ran.stdout
