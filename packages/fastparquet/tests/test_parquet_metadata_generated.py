"""The generated module is what the Thrift compiler makes of the .thrift file beside it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hocket.parquet.metadata import generated
from hocket.parquet.metadata.generated import ttypes
from hocket.parquet.metadata.logical import LogicalKind, PhysicalType, Repetition

FOLDER = Path(generated.__file__).parent


def test_the_module_is_of_the_file(tmp_path):
    compiler = shutil.which("thrift")
    if compiler is None:
        pytest.skip("there is no Thrift compiler here")
    told = subprocess.run([compiler, "-version"], capture_output=True, text=True, check=True).stdout
    made_by = re.search(r"Compiler \(([0-9.]+)\)", (FOLDER / "ttypes.py").read_text()).group(1)
    if made_by not in told:
        pytest.skip(f"the module was made by Thrift {made_by}, and here is {told.strip()}")
    source = str(FOLDER / "parquet.thrift")
    subprocess.run([compiler, "--gen", "py:slots", "-out", str(tmp_path), source], check=True)
    for name in ("ttypes.py", "constants.py"):
        assert (FOLDER / name).read_text() == (tmp_path / "parquet" / name).read_text()


def test_the_licence_of_the_file_stands_in_it():
    text = (FOLDER / "parquet.thrift").read_text()
    assert "Licensed to the Apache Software Foundation" in text[:400]
    assert "This copy is changed" in text


def test_what_is_new_in_the_format_is_there():
    assert ttypes.Encoding.ALP == 10
    assert ttypes.Statistics(nan_count=1).nan_count == 1
    assert ttypes.ColumnOrder(IEEE_754_TOTAL_ORDER=ttypes.IEEE754TotalOrder())
    assert ttypes.ColumnOrder(INT96_TIMESTAMP_ORDER=ttypes.Int96TimestampOrder())
    assert ttypes.LogicalType(FILE=ttypes.FileType())
    assert ttypes.ColumnIndex(nan_counts=[1]).nan_counts == [1]


def test_enumerations_agree():
    for ours, theirs in (
        (PhysicalType, ttypes.Type),
        (Repetition, ttypes.FieldRepetitionType),
    ):
        assert {each.value: each.name for each in ours} == theirs._VALUES_TO_NAMES
    members = set(ttypes.LogicalType.__slots__)
    assert members <= {each.value for each in LogicalKind}
