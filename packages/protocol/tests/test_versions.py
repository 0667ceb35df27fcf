"""The version that we tell our peers is the version that is installed."""

from __future__ import annotations

import platform
from importlib.metadata import version

from hocket.protocol.versions import HOCKET_VERSION, OUR_VERSIONS, PROTOCOL_VERSION


def test_the_version_is_the_packages():
    assert version("hocket-protocol") == HOCKET_VERSION


def test_our_versions_are_ours():
    assert OUR_VERSIONS.protocol == PROTOCOL_VERSION
    assert OUR_VERSIONS.hocket == HOCKET_VERSION
    assert platform.python_version().startswith(OUR_VERSIONS.python)
