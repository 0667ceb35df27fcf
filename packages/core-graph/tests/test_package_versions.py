"""Versions: of what there is, and where they differ."""

from __future__ import annotations

import platform
from importlib.metadata import version

from hypothesis import given
from hypothesis import strategies as st

from hocket.core.errors import VersionsDiffer
from hocket.core.package_versions import COMPARED, differences, package_versions

versions = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2"]))


def test_versions_of_this_process() -> None:
    found = package_versions(["hypothesis", "no-such-package", "hypothesis"])
    assert found["python"] == platform.python_version()
    assert found["hypothesis"] == version("hypothesis")
    assert found["no-such-package"] == ""
    assert set(COMPARED) < set(found)


@given(ours=versions, theirs=st.dictionaries(st.sampled_from("xyz"), versions))
def test_differences(ours: dict[str, str], theirs: dict[str, dict[str, str]]) -> None:
    found = differences(ours, theirs)
    for package, here in ours.items():
        others = {w: v.get(package, "") for w, v in theirs.items() if v.get(package, "") != here}
        assert found.get(package) == ({"client": here, **others} if others else None)
    assert set(found) <= set(ours)


def test_the_error_names_package_and_place() -> None:
    text = str(VersionsDiffer(differences={"numpy": {"client": "2.1", "tcp://w:1": ""}}))
    assert "numpy (client: 2.1, tcp://w:1: absent)" in text
