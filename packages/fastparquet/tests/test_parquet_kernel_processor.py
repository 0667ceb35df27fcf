"""A processor gets code that it can run, and no other's."""

from __future__ import annotations

import pytest

from hocket.parquet.kernels import processor

HASWELL = (
    "fpu cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
)


@pytest.fixture
def told(monkeypatch):
    """Says what the operating system says."""

    def tell(machine: str, **kind: str) -> None:
        monkeypatch.setattr(processor, "machine", lambda: machine)
        monkeypatch.setattr(processor, "_kind", lambda: kind)
        processor.levels.cache_clear()
        processor.identity.cache_clear()

    yield tell
    monkeypatch.undo()
    processor.levels.cache_clear()
    processor.identity.cache_clear()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", ()),
        ("fpu sse2", ()),
        ("cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3", ("x86-64-v2",)),
        (HASWELL, ("x86-64-v3", "x86-64-v2")),
        (HASWELL.replace("avx2", ""), ("x86-64-v2",)),
        (HASWELL.replace("abm", ""), ("x86-64-v2",)),
        (HASWELL.replace("popcnt", ""), ()),
        (
            f"{HASWELL} avx512f avx512bw avx512cd avx512dq avx512vl",
            ("x86-64-v4", "x86-64-v3", "x86-64-v2"),
        ),
    ],
)
def test_levels(told, flags, expected) -> None:
    told("x86_64", flags=flags)
    assert processor.levels() == expected


def test_other_architectures(told) -> None:
    told("aarch64", Features="fp asimd")
    assert processor.levels() == processor.known_levels() == ("generic",)


@pytest.mark.parametrize("name", ["maxsize", "byteorder"])
def test_none_where_words_are_other_ones(told, monkeypatch, name) -> None:
    told("x86_64", flags=HASWELL)
    monkeypatch.setattr("sys." + name, {"maxsize": (1 << 31) - 1, "byteorder": "big"}[name])
    assert processor.levels() == ()


def test_identity_is_of_the_kind(told) -> None:
    told("x86_64", flags=HASWELL, model="1")
    one = processor.identity()
    told("x86_64", flags=HASWELL, model="1")
    assert processor.identity() == one
    told("x86_64", flags=HASWELL, model="2")
    other = processor.identity()
    told("x86_64", flags="sse2", model="1")
    assert len({one, other, processor.identity()}) == 3


def test_this_one() -> None:
    assert processor.identity() == processor.identity()
    assert processor.identity().isalnum()
    assert set(processor.levels()) <= set(processor.known_levels())
