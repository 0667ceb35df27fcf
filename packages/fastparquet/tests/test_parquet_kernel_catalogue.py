"""What is compiled for a kernel is thrown away when, and only when, it means something else."""

from __future__ import annotations

import shutil

import pytest

from hocket.parquet.kernels import catalogue, language
from hocket.parquet.kernels.language import load_8
from hocket.parquet.kernels.translation import fingerprint

SOURCE = '''
STEP = 8

@{declared}
def next_of(base: int, offset: int) -> int:
    return load_8(base, offset + STEP)

def kernel(base: int, count: int) -> int:
    """{documentation}"""
    total = 0
    for index in range(count):  # {comment}
        total += next_of(base, index)
    return total {operator} 2
'''

PLAIN = {
    "declared": "helper",
    "documentation": "Sum.",
    "comment": "each",
    "operator": "*",
}


def written(*, step: int = 8, source: str = SOURCE, **changes: str) -> bytes:
    names = {"helper": language.helper, "inlined": language.inlined, "load_8": load_8}
    exec(source.format(**{**PLAIN, **changes}).replace("STEP = 8", f"STEP = {step}"), names)
    return fingerprint(names["kernel"])


def test_fingerprint() -> None:
    one = written()
    assert written() == one
    assert written(documentation="The sum of what follows.") == one
    assert written(comment="all of them") == one
    others = [
        written(operator="+"),
        written(step=16),
        written(declared="inlined"),
        written(source=SOURCE.replace("offset + STEP", "offset - STEP")),
        written(source=SOURCE.replace("total = 0", "total = 1")),
        written(source=SOURCE.replace('"""{documentation}"""', "")),
    ]
    assert len({one, *others[:-1]}) == 6
    assert others[-1] in {one, others[-1]}


def test_only_helpers_can_be_called() -> None:
    with pytest.raises(TypeError, match="neither a primitive nor a helper"):
        written(declared="staticmethod")


def test_all_kernels_are_found_in_the_texts() -> None:
    names = set()
    for subject in catalogue.subjects():
        kernels = catalogue.kernels_of(subject)
        assert kernels
        names |= {each.__name__ for each in kernels}
        assert {catalogue.subject_of(each.__name__) for each in kernels} == {subject}
    ours = {
        name
        for name, function in language.KERNELS.items()
        if function.__module__.startswith("hocket.parquet.kernels.source.")
    }
    assert names == ours
    assert catalogue.subject_of("no_such_kernel") is None


def test_a_module_has_a_digest_of_its_own() -> None:
    digests = {catalogue.digest_of_subject(each) for each in catalogue.subjects()}
    assert len(digests) == len(catalogue.subjects())


@pytest.mark.parametrize(
    "name", ["language.py", "compiler.py", "faults.py", "source/bitmaps.py", "source/new.py"]
)
def test_the_digest_of_all_texts(tmp_path, monkeypatch, name) -> None:
    copy = tmp_path / "kernels"
    shutil.copytree(catalogue._FOLDER, copy)
    here = catalogue.digest_of_texts()
    monkeypatch.setattr(catalogue, "_FOLDER", copy)
    catalogue._digest_of_toolchain.cache_clear()
    assert catalogue.digest_of_texts() == here
    with (copy / name).open("a") as file:
        file.write("# changed\n")
    catalogue._digest_of_toolchain.cache_clear()
    assert catalogue.digest_of_texts() != here
    catalogue._digest_of_toolchain.cache_clear()
