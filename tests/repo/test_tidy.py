"""Tidy: every rule finds the fault planted for it, and nothing where there is none."""

from __future__ import annotations

import subprocess

import pytest

import tidy

PYPROJECT = """\
[project]
name = "{name}"
version = "{version}"
dependencies = {dependencies}
"""


class Plot:
    """A repository made for a test: one good package, to which faults are added."""

    def __init__(self, root):
        self.root = root
        self.package("core", "hocket-core")

    def write(self, file, text='"""What the file is."""\n'):
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def package(self, folder, name, *, version="1.2.0", dependencies="[]"):
        text = PYPROJECT.format(name=name, version=version, dependencies=dependencies)
        self.write(f"packages/{folder}/pyproject.toml", text)
        self.write(f"packages/{folder}/README.md", "# a package\n")
        self.write(f"packages/{folder}/LICENSE", "yes\n")
        self.write(f"packages/{folder}/src/hocket/{folder}/__init__.py")
        self.write(f"packages/{folder}/src/hocket/{folder}/py.typed", "")

    def faults(self):
        return tidy.faults(self.root)


@pytest.fixture
def plot(tmp_path):
    return Plot(tmp_path)


def test_a_good_repository_has_no_fault(plot):
    plot.write("packages/core/src/hocket/core/order.py", '"""A file."""\nimport os\n')
    plot.write("packages/core/tests/test_order.py")
    plot.write("tests/conftest.py")
    plot.write("packages/core/tests/conftest.py")
    plot.write("packages/core/src/hocket/core/empty/__init__.py", "")
    assert plot.faults() == []


def test_what_a_program_made_may_be_long_and_say_nothing(plot):
    plot.write("packages/core/src/hocket/core/generated/__init__.py")
    plot.write("packages/core/src/hocket/core/generated/ttypes.py", "a = 1\n" * 501)
    assert plot.faults() == []


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("tools/x.py", '"""X."""\n' + "a = 1\n" * 500, "tools/x.py: 501 lines, at most 500"),
        ("tools/x.py", "a = 1\n", "tools/x.py: no module docstring"),
        ("tools/x.py", '"""  """\n', "tools/x.py: no module docstring"),
        ("tools/x.py", '"""X."""\nif\n', "tools/x.py:2: not Python"),
        ("tools/utils.py", '"""X."""\n', "tools/utils.py: the name tells no subject"),
        (
            "packages/core/src/hocket/core/common.py",
            '"""X."""\n',
            "common.py: the name tells no subject",
        ),
        ("packages/core/src/hocket/__init__.py", "", "hocket is a namespace"),
        ("packages/core/src/__init__.py", "", "hocket is a namespace"),
        ("packages/core/tests/__init__.py", "", "tests are no package"),
        ("docs/x.md", "# x\n\nTODO: write\n", "docs/x.md:3: a TODO without an issue"),
        ("tools/x.py", '"""X."""\n# FIXME soon\n', "tools/x.py:2: a TODO without an issue"),
        ("docs/x.md", "see /home/me/notes\n", "docs/x.md:1: /home/me is a path of one machine"),
        ("tools/x.py", '"""X."""\nP = "/work/x"\n', "tools/x.py:2: /work/x is a path"),
        ("Makefile", "all:\n\tls /root/.cache\n", "Makefile:2: /root/.cache is a path"),
        (
            "packages/core/src/hocket/core/x.py",
            '"""X."""\n\n\ndef f():\n    import msgpack\n',
            "x.py:5: imports msgpack; hocket-core must require it",
        ),
        (
            "packages/core/src/hocket/core/x.py",
            '"""X."""\nfrom yaml.nodes import Node\n',
            "imports yaml.nodes; hocket-core must require it",
        ),
    ],
)
def test_a_planted_fault_is_found_and_nothing_else(plot, file, text, says):
    plot.write(file, text)
    (fault,) = plot.faults()
    assert says in fault


@pytest.mark.parametrize(
    "text",
    [
        "TODO(#12): later",
        "see https://example.org/home/me",
        "`../home/x`",
        "the home of all",
        "/workshop",
    ],
)
def test_what_only_looks_like_a_fault_is_none(plot, text):
    plot.write("docs/x.md", text)
    assert plot.faults() == []


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("README.md", "packages/core: no README.md"),
        ("LICENSE", "packages/core: no LICENSE"),
        ("src/hocket/core/py.typed", "packages/core: no src/hocket/core/py.typed"),
    ],
)
def test_a_package_that_lacks_something_is_found(plot, missing, says):
    (plot.root / "packages/core" / missing).unlink()
    assert plot.faults() == [says]


def test_unequal_versions_are_found(plot):
    plot.package("graph", "hocket-graph", version="1.3.0")
    (fault,) = plot.faults()
    assert "unequal versions" in fault
    assert "1.2.0: hocket-core" in fault
    assert "1.3.0: hocket-graph" in fault


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ("hocket-core>=1.1.0", "and there is 1.2.0"),
        ("hocket_core>=1.1.0", "and there is 1.2.0"),
        ("numpy", "without a lower bound"),
        ("numpy<2", "without a lower bound"),
    ],
)
def test_a_wrong_requirement_is_found(plot, requirement, says):
    plot.package("graph", "hocket-graph", dependencies=f'["{requirement}"]')
    (fault,) = plot.faults()
    assert says in fault


def test_an_import_of_our_own_must_be_declared_too(plot):
    plot.package("graph", "hocket-graph")
    plot.write("packages/graph/src/hocket/graph/x.py", '"""X."""\nfrom hocket.core import errors\n')
    (fault,) = plot.faults()
    assert "hocket-graph must require it" in fault
    plot.package("graph", "hocket-graph", dependencies='["hocket-core>=1.2.0"]')
    assert plot.faults() == []


def test_two_test_modules_of_one_name_are_found(plot):
    plot.write("packages/core/tests/test_x.py")
    plot.write("tests/repo/test_x.py")
    (fault,) = plot.faults()
    assert fault.startswith("test_x.py: 2 test modules")


def test_the_ratchet_lets_a_long_file_be_and_not_grow(plot):
    plot.write(tidy.RATCHET, "510 tools/x.py\n")
    plot.write("tools/x.py", '"""X."""\n' + "a = 1\n" * 509)
    assert plot.faults() == []
    plot.write("tools/x.py", '"""X."""\n' + "a = 1\n" * 510)
    (fault,) = plot.faults()
    assert "511 lines, at most 510" in fault
    tidy.lower_ratchet(plot.root)
    assert len(plot.faults()) == 1  # Lowering never raises.


@pytest.mark.parametrize("remove", [True, False])
def test_the_ratchet_forgets_what_is_no_longer_long(plot, remove):
    plot.write(tidy.RATCHET, "510 tools/x.py\n")
    plot.write("tools/x.py")
    if remove:
        (plot.root / "tools/x.py").unlink()
    (fault,) = plot.faults()
    assert "tools/x.py is no longer too long" in fault
    tidy.lower_ratchet(plot.root)
    assert plot.faults() == []


def test_the_ratchet_shrinks_with_the_file(plot):
    plot.write(tidy.RATCHET, "600 tools/x.py\n")
    plot.write("tools/x.py", '"""X."""\n' + "a = 1\n" * 519)
    tidy.lower_ratchet(plot.root)
    assert (plot.root / tidy.RATCHET).read_text(encoding="utf-8") == "520 tools/x.py\n"


def test_what_git_ignores_is_passed_over_and_what_is_new_is_seen(plot):
    subprocess.run(["git", "init", "--quiet", plot.root], check=True)
    plot.write(".gitignore", "scratch/\n")
    plot.write("scratch/utils.py", "")
    assert plot.faults() == []
    plot.write("fresh/utils.py", "")
    assert plot.faults() == ["fresh/utils.py: the name tells no subject"]


def test_the_program_tells_and_fails(plot, monkeypatch, capsys):
    monkeypatch.setattr(tidy, "ROOT", plot.root)
    assert tidy.main([]) == 0
    plot.write("tools/utils.py")
    assert tidy.main([]) == 1
    assert "tools/utils.py: the name tells no subject" in capsys.readouterr().out
    assert tidy.main(["--ratchet"]) == 0
