"""The house rules that ruff does not know, checked over every file of the repository.

Each rule is a function that yields faults; ``RULES`` lists them. ``tools/tidy_ratchet.txt`` holds
the files that are longer than `LINES_MAX` and how long each may be: numbers there may only shrink.

    python tools/tidy.py            check this repository
    python tools/tidy.py --ratchet  lower the ratchet to what is there (it is never raised so)
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from workspace import ROOT, packages, requirement_name

LINES_MAX = 500
RATCHET = "tools/tidy_ratchet.txt"

#: File names that say nothing of a subject, so that everything ends up in them.
NAMES_FORBIDDEN = {"utils.py", "util.py", "common.py", "helpers.py", "helper.py", "misc.py"}

#: A TODO names its issue: TODO(#12).
_TODO = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#[0-9]+\))")

#: Places of one machine, which mean nothing on another.
_MACHINE_PATH = re.compile(r"(?<![\w.:/<-])/(work|home|root|Users)/[\w.]+")

#: Import names that are not their distribution's.
_DISTRIBUTIONS = {"yaml": "pyyaml", "pynvml": "nvidia-ml-py"}

#: Text files, as far as rules about text go.
_TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".sh", ".cfg", ""}

#: Folders of Python files that programs make, in a form that is theirs to choose.
_GENERATED = "/generated/"

#: Where the patterns above stand as patterns.
_EXEMPT_FROM_TEXT_RULES = {"tools/tidy.py", "tests/repo/test_tidy.py", "LICENSE"}


class Repository:
    """The files of a checkout: those that git has or would take."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sorted(self._listed())

    def text(self, file: str) -> str:
        """Return what a file holds."""
        return (self.root / file).read_text(encoding="utf-8", errors="replace")

    def python(self) -> Iterator[str]:
        """Yield the Python files."""
        return (file for file in self.files if file.endswith(".py"))

    def written(self) -> Iterator[str]:
        """Yield the Python files that people write, not what a program made for them."""
        return (
            file
            for file in self.python()
            if _GENERATED not in file or file.endswith("/__init__.py")
        )

    def _listed(self) -> Iterator[str]:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=self.root, check=False, capture_output=True)
        if listing.returncode == 0:
            files = listing.stdout.decode().split("\0")
        else:
            # Not a checkout: an unpacked archive, which has nothing but the files.
            skipped = {"__pycache__", "build", "dist", "htmlcov"}
            files = [
                path.relative_to(self.root).as_posix()
                for path in self.root.rglob("*")
                if not any(
                    part in skipped or (part.startswith(".") and part != ".ci")
                    for part in path.relative_to(self.root).parts[:-1]
                )
            ]
        for file in files:
            path = self.root / file
            # A file deleted and not yet committed is still listed; a link is its target's business.
            if file and path.is_file() and not path.is_symlink():
                yield file


def long_files(repository: Repository) -> Iterator[str]:
    """A Python file has one subject, and fits in `LINES_MAX` lines or is in the ratchet."""
    allowed = _ratchet(repository)
    lengths = _lengths(repository)
    for file, length in lengths.items():
        most = allowed.get(file, LINES_MAX)
        if length > most:
            yield f"{file}: {length} lines, at most {most}: split it by subject"
    for file in allowed:
        if lengths.get(file, 0) <= LINES_MAX:
            yield f"{RATCHET}: {file} is no longer too long; run: python tools/tidy.py --ratchet"


def module_docstrings(repository: Repository) -> Iterator[str]:
    """A module begins with a docstring whose first line says what the file is."""
    for file in repository.written():
        text = repository.text(file)
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            yield f"{file}:{error.lineno}: not Python: {error.msg}"
            continue
        if text.strip() and not (ast.get_docstring(tree) or "").strip():
            yield f"{file}: no module docstring"


def file_names(repository: Repository) -> Iterator[str]:
    """A file is named after its subject."""
    for file in repository.python():
        if Path(file).name in NAMES_FORBIDDEN:
            yield f"{file}: the name tells no subject"


def namespace(repository: Repository) -> Iterator[str]:
    """``hocket`` is a namespace: an __init__.py in it would hide all packages but one."""
    for file in repository.files:
        if re.fullmatch(r"packages/[^/]+/src/(hocket/)?__init__\.py", file):
            yield f"{file}: hocket is a namespace; remove the file"


def package_shape(repository: Repository) -> Iterator[str]:
    """A package has a README, the licence, and a typed marker beside each ``__init__.py``."""
    for package in packages(repository.root):
        folder = package.folder.relative_to(repository.root).as_posix()
        for needed in ("README.md", "LICENSE"):
            if not (package.folder / needed).is_file():
                yield f"{folder}: no {needed}"
        for module in package.modules:
            marker = f"src/{module.replace('.', '/')}/py.typed"
            if not (package.folder / marker).is_file():
                yield f"{folder}: no {marker}"


def versions(repository: Repository) -> Iterator[str]:
    """All packages have one version, and what they require of each other can be that version."""
    known = packages(repository.root)
    by_version = defaultdict(list)
    for package in known:
        by_version[package.version].append(package.name)
    if len(by_version) > 1:
        told = "; ".join(f"{version}: {', '.join(names)}" for version, names in by_version.items())
        yield f"packages: unequal versions: {told}"
    ours = {package.name: package.version for package in known}
    for package in known:
        for requirement in package.dependencies:
            name = requirement_name(requirement)
            if name in ours and not requirement.endswith(f"={ours[name]}"):
                yield f"{package.name}: requires {requirement}, and there is {ours[name]}"
            if not re.search(r"[<>=~]=", requirement):
                yield f"{package.name}: requires {requirement} without a lower bound"


def declared_imports(repository: Repository) -> Iterator[str]:
    """A package declares all that it imports, also what its dependencies happen to bring along."""
    known = packages(repository.root)
    brings = {module: package.name for package in known for module in package.modules}
    for package in known:
        declared = {package.name, *map(requirement_name, package.dependencies)}
        for extra in package.pyproject["project"].get("optional-dependencies", {}).values():
            declared |= set(map(requirement_name, extra))
        source = f"{package.folder.relative_to(repository.root).as_posix()}/src/"
        for file in repository.python():
            if file.startswith(source):
                for line, module in _imports(repository.text(file)):
                    top = module.partition(".")[0]
                    ours = ".".join(module.split(".")[:2])
                    needed = brings.get(ours) or _DISTRIBUTIONS.get(top, top).replace("_", "-")
                    if top not in sys.stdlib_module_names and needed not in declared:
                        yield f"{file}:{line}: imports {module}; {package.name} must require it"


def test_names(repository: Repository) -> Iterator[str]:
    """Test modules have different names, so that a name in a report is one file."""
    by_name = defaultdict(list)
    for file in repository.python():
        if re.search(r"(^|/)tests/", file) and Path(file).name != "conftest.py":
            by_name[Path(file).name].append(file)
            if Path(file).name == "__init__.py":
                yield f"{file}: tests are no package"
    for name, files in by_name.items():
        if len(files) > 1:
            yield f"{name}: {len(files)} test modules of this name: {', '.join(files)}"


def todos(repository: Repository) -> Iterator[str]:
    """A TODO names an issue, or is not there."""
    for file, number, line in _lines(repository):
        if _TODO.search(line):
            yield f"{file}:{number}: a TODO without an issue: write TODO(#12)"


def machine_paths(repository: Repository) -> Iterator[str]:
    """Nothing names a place of one machine."""
    for file, number, line in _lines(repository):
        found = _MACHINE_PATH.search(line)
        if found:
            yield f"{file}:{number}: {found.group()} is a path of one machine"


RULES = (
    long_files,
    module_docstrings,
    file_names,
    namespace,
    package_shape,
    versions,
    declared_imports,
    test_names,
    todos,
    machine_paths,
)


def faults(root: Path) -> list[str]:
    """Return all that breaks a rule in a checkout, in the order of the rules."""
    repository = Repository(root)
    return [fault for rule in RULES for fault in rule(repository)]


def lower_ratchet(root: Path) -> None:
    """Write the ratchet anew: entries shrink or go; none comes in and none grows."""
    repository = Repository(root)
    lengths = _lengths(repository)
    kept = {
        file: min(most, lengths[file])
        for file, most in _ratchet(repository).items()
        if lengths.get(file, 0) > LINES_MAX
    }
    lines = [f"{most} {file}\n" for file, most in sorted(kept.items())]
    (root / RATCHET).write_text("".join(lines), encoding="utf-8")


def _imports(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute name of each import, wherever in the file it stands."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return  # module_docstrings tells.
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def _ratchet(repository: Repository) -> dict[str, int]:
    path = repository.root / RATCHET
    if not path.exists():
        return {}
    entries = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {file: int(most) for most, file in entries}


def _lengths(repository: Repository) -> dict[str, int]:
    return {file: repository.text(file).count("\n") for file in repository.written()}


def _lines(repository: Repository) -> Iterator[tuple[str, int, str]]:
    for file in repository.files:
        if Path(file).suffix in _TEXT and file not in _EXEMPT_FROM_TEXT_RULES:
            for number, line in enumerate(repository.text(file).splitlines(), 1):
                yield file, number, line


def main(arguments: list[str]) -> int:
    """Check, or lower the ratchet; return the exit code."""
    if arguments == ["--ratchet"]:
        lower_ratchet(ROOT)
        return 0
    found = faults(ROOT)
    for fault in found:
        print(fault)
    print(f"tidy: {len(found)} fault(s) by {len(RULES)} rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
