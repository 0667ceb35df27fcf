#!/usr/bin/env python3
"""The one entry to every chore: ``python3 tools/do.py VERB [ARGUMENTS]``.

    setup            make .venv and install all packages editable (done first by all that need it)
    fmt              format the code and apply ruff's safe fixes
    lint             ruff, its format, and tidy (the house rules that ruff does not know)
    types            mypy, strict
    floors           the import contracts between and inside packages
    test [ARGS]      all tests; ARGS go to pytest
    unit PKG [ARGS]  the tests of one package, by the name of its folder
    demo [--keep]    the main job on real data, and a report; --keep (or KEEP=1) leaves it running
    bench [NAME]     a benchmark by its file's name (engines, unless told); more ARGS go to it
    simulate [ARGS]  the engine's machines in virtual time; SEEDS=n (or --seeds n) histories
    fuzz [ARGS]      read damaged Parquet files; --seconds N, --checked, --guided, --replay ...
    kills [ARGS]     kill writers of Parquet datasets: --kills N (200 unless told), --seed N
    clusters [ARGS]  clusters on real SLURM, Grid Engine, PBS and SSH, where testbeds can be started
    stress [ARGS]    threads, clients, kills of clients with locks held: --seconds N, --seed N
    dask [ARGS]      dask's own tests of its collections, on hocket (half an hour; or name files)
    docs [--check]   write the generated pages of docs/ (or only tell whether they are fresh)
    thrift [--check] make the Parquet library's Thrift module (or only tell whether it is fresh)
    wheels           build and check the wheel of every package, into dist/
    isolation [PKG]  test each package in an environment with it and its dependencies alone
    ci               what CI runs

It needs Python 3.11 or later and nothing else.
"""

# No `from __future__` here, and nothing before this check that an old Python cannot read: it is to
# say that it is too old, not that the syntax is invalid.
import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "hocket needs Python 3.11 or later; this is %s (%s).\n"  # noqa: UP031
        "Name another one: make PYTHON=python3.12 ..." % (sys.version.split()[0], sys.executable)
    )

import signal
import tempfile
from collections.abc import Callable

import environment
import wheels
from workspace import ROOT, Failure, package_named, run

#: What the types are checked of: packages and programs alike.
TYPED = ("packages/*/src", "tools", "benchmarks", "examples")

#: Folders whose tests start whole clusters, or programs that do: those have the machine alone.
ALONE = ("tests/examples", "tests/integration", "tests/repo")


def setup(arguments: list[str]) -> None:
    """Make or refresh .venv."""
    environment.setup(use_uv="--pip" not in arguments)


def fmt(_arguments: list[str]) -> None:
    """Format everything."""
    environment.setup()
    environment.run_tool("ruff", "check", "--fix-only", "--quiet", ".")
    environment.run_tool("ruff", "format", ".")


def lint(_arguments: list[str]) -> None:
    """Check style and house rules."""
    environment.setup()
    environment.run_tool("ruff", "check", ".")
    environment.run_tool("ruff", "format", "--check", ".")
    environment.run_python("tools/tidy.py")


def types(_arguments: list[str]) -> None:
    """Check types."""
    environment.setup()
    folders = [
        str(folder.relative_to(ROOT))
        for pattern in TYPED
        for folder in sorted(ROOT.glob(pattern))
        if any(folder.rglob("*.py"))
    ]
    environment.run_python("-m", "mypy", *folders)


def floors(_arguments: list[str]) -> None:
    """Check who imports whom."""
    environment.setup()
    environment.run_tool("lint-imports")


def test(arguments: list[str]) -> None:
    """Run all tests, or those that the arguments name."""
    environment.setup()
    # Or the first test that reads Parquet would wait for the compiler, and run out of time.
    environment.run_python("-m", "hocket.parquet", "warmup")
    if any(not each.startswith("-") for each in arguments):
        environment.run_python("-m", "pytest", *arguments)
        return
    # (Named one by one: what is named cannot be ignored.)
    folders = [
        folder.relative_to(ROOT).as_posix()
        for pattern in ("packages/*/tests", "tests/*")
        for folder in sorted(ROOT.glob(pattern))
        if any(folder.glob("test_*.py"))
    ]
    apart = [
        [
            "--numprocesses=auto",
            "--dist=worksteal",
            *(each for each in folders if each not in ALONE),
        ],
        [folder for folder in folders if folder in ALONE],
    ]
    failures = []
    for chosen in apart:
        try:
            environment.run_python("-m", "pytest", *chosen, *arguments)
        except Failure as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


def unit(arguments: list[str]) -> None:
    """Run one package's tests, without the slow ones."""
    if not arguments:
        raise Failure("which package? for instance: tools/do.py unit core-graph")
    package = package_named(arguments[0])
    environment.setup()
    environment.run_python(
        "-m", "pytest", "-m", "not slow", str(package.folder / "tests"), *arguments[1:]
    )


def demo(arguments: list[str]) -> None:
    """Run the main job."""
    environment.setup(extra=[ROOT / "examples" / "flights" / "requirements.txt"])
    # Once, and rather where one sees what takes long than in each worker.
    environment.run_python("-m", "hocket.parquet", "warmup")
    keep = ["--keep"] if os.environ.get("KEEP", "") not in {"", "0"} else []
    # (Of two reports the last is written.)
    told = ["--report", str(ROOT / "build" / "flights-report.html"), *keep, *arguments]
    environment.run_python("examples/flights/demo.py", *told)


def bench(arguments: list[str]) -> None:
    """Run one benchmark."""
    named = bool(arguments) and not arguments[0].startswith("-")
    name = arguments[0] if named else "engines"
    file = ROOT / "benchmarks" / f"{name}.py"
    if not file.exists():
        there = ", ".join(path.stem for path in sorted(file.parent.glob("*.py")))
        raise Failure(f"there is no benchmark {name!r}; there are {there}", code=2)
    environment.setup()
    if name in {"actors", "dashboard", "dask_collections", "engines", "scale"}:
        environment.peers()
    environment.run_python(str(file.relative_to(ROOT)), *arguments[named:])


def simulate(arguments: list[str]) -> None:
    """Run the simulator."""
    environment.setup()
    environment.run_python("tools/simulate.py", *arguments)


def fuzz(arguments: list[str]) -> None:
    """Read damaged Parquet files."""
    environment.setup()
    environment.run_python("tools/fuzz_parquet.py", *arguments)


def kills(arguments: list[str]) -> None:
    """Kill writers of Parquet datasets."""
    environment.setup()
    with tempfile.TemporaryDirectory() as folder:
        environment.run_python("tools/kill_parquet_writers.py", *arguments, folder)


def stress(arguments: list[str]) -> None:
    """Use clients from many threads, and kill some."""
    environment.setup()
    environment.run_python("tools/clients_stress.py", *arguments)


def clusters(arguments: list[str]) -> None:
    """Test clusters on real batch systems."""
    environment.setup()
    os.environ["TESTBED"] = "1"
    environment.run_python("-m", "pytest", "tests/clusters", *arguments)


def dask(arguments: list[str]) -> None:
    """Run dask's own tests."""
    environment.setup()
    environment.run_python("tools/dask_tests.py", *arguments)


def docs(arguments: list[str]) -> None:
    """Write or check the generated pages."""
    environment.setup()
    for program in ("tools/settings_page.py", "tools/states_page.py", "tools/api_pages.py"):
        environment.run_python(program, *arguments)


def thrift(arguments: list[str]) -> None:
    """Write or check the module that the Thrift compiler makes."""
    environment.setup()
    environment.run_python("tools/parquet_thrift.py", *arguments)


def build_wheels(_arguments: list[str]) -> None:
    """Build every wheel."""
    environment.setup()
    wheels.build(ROOT / "dist")


def isolation(arguments: list[str]) -> None:
    """Test each package alone."""
    environment.setup()
    wheels.test_alone([package_named(name) for name in arguments])


def ci(_arguments: list[str]) -> None:
    """Do what CI does."""
    run(["bash", ".ci/run"])


VERBS: dict[str, Callable[[list[str]], None]] = {
    "setup": setup,
    "fmt": fmt,
    "lint": lint,
    "types": types,
    "floors": floors,
    "test": test,
    "unit": unit,
    "demo": demo,
    "bench": bench,
    "simulate": simulate,
    "fuzz": fuzz,
    "kills": kills,
    "stress": stress,
    "clusters": clusters,
    "dask": dask,
    "docs": docs,
    "thrift": thrift,
    "wheels": build_wheels,
    "isolation": isolation,
    "ci": ci,
}


def main(arguments: list[str]) -> int:
    """Do what the first argument says; return the exit code."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(__doc__)
        return 0
    verb = VERBS.get(arguments[0])
    if verb is None:
        print(f"there is no verb {arguments[0]!r}; there are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in the background of a shell without job control. Tests interrupt what they start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        verb(arguments[1:])
    except Failure as failure:
        if str(failure):
            print(f"{arguments[0]}: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
