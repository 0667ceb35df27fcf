"""`install_as_fastparquet`: what ``import fastparquet`` finds then, each time in a new process."""

import subprocess
import sys
import textwrap

import pytest


def run(code: str) -> str:
    """Run a program in a process of its own, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_imports_find_this_library():
    told = run("""
        import sys, importlib.util
        import hocket.parquet as hp
        installed = hp.install_as_fastparquet()
        assert hp.install_as_fastparquet() is installed
        assert "pandas" not in sys.modules and "thrift" not in sys.modules
        import fastparquet
        import fastparquet.writer
        import fastparquet.api as api
        from fastparquet import ParquetFile, ParquetException, write, parquet_thrift
        from fastparquet.parquet_thrift import Type
        from fastparquet.schema import SchemaHelper
        from fastparquet.util import join_path, PANDAS_VERSION
        from fastparquet import *
        assert fastparquet is installed and issubclass(ParquetFile, hp.ParquetFile)
        assert ParquetException is hp.ParquetError
        assert fastparquet.writer.write is write is fastparquet.write
        assert (Type.INT64, parquet_thrift.CompressionCodec.SNAPPY) == (2, 1)
        assert PANDAS_VERSION.major >= 2
        assert importlib.util.find_spec("fastparquet").name == "fastparquet"
        for name in ("no_such", "cencoding"):
            try:
                __import__("fastparquet." + name)
            except ModuleNotFoundError:
                print(name)
        print(fastparquet.__version__.split(".")[0] >= "2024")
    """)
    assert told.split() == ["no_such", "cencoding", "True"]


@pytest.mark.slow
def test_pandas_uses_it(tmp_path):
    told = run(f"""
        import io, warnings
        import hocket.parquet as hp
        hp.install_as_fastparquet()
        import pandas as pd
        warnings.simplefilter("ignore")
        frame = pd.DataFrame({{"x": [1, 2, 3], "y": ["a", None, "c"], "z": [0.5, 1.5, 2.5]}})
        place = {str(tmp_path / "a.parquet")!r}
        frame.to_parquet(place, engine="fastparquet", compression="gzip", row_group_offsets=[0, 2])
        found = pd.read_parquet(place, engine="fastparquet")
        pd.testing.assert_frame_equal(found, frame)
        opened = hp.ParquetFile(place)
        assert "hocket" in opened.created_by and len(opened) == 2
        assert opened.row_groups[0].columns[0].meta_data.codec == 2
        some = pd.read_parquet(place, engine="fastparquet", columns=["z"], filters=[("x", ">", 2)])
        assert some.to_dict("list") == {{"z": [2.5]}}
        frame.to_parquet(place, engine="fastparquet", append=True)
        assert pd.read_parquet(place, engine="fastparquet")["x"].tolist() == [1, 2, 3] * 2
        raw = frame.to_parquet(engine="fastparquet")
        assert pd.read_parquet(io.BytesIO(raw), engine="fastparquet").equals(frame)
        for root in ({str(tmp_path / "d")!r}, "memory://dropin/d"):
            frame.to_parquet(root, engine="fastparquet", partition_cols=["z"])
            found = pd.read_parquet(root, engine="fastparquet", filters=[("z", ">=", 1)])
            assert sorted(found["x"]) == [2, 3] and found["z"].dtype == "category"
        frame.to_parquet("memory://dropin/a.parquet", engine="fastparquet", index=True)
        assert pd.read_parquet("memory://dropin/a.parquet", engine="fastparquet").shape == (3, 3)
        print("fine")
    """)
    assert told == "fine"


def test_fastparquet_itself_is_not_replaced_unasked():
    told = run("""
        import sys, types
        import hocket.parquet as hp
        real, inner = types.ModuleType("fastparquet"), types.ModuleType("fastparquet.core")
        real.__version__, real.__file__ = "2024.2.0", "/somewhere/fastparquet/__init__.py"
        sys.modules["fastparquet"], sys.modules["fastparquet.core"] = real, inner
        try:
            hp.install_as_fastparquet()
        except hp.InvalidOption as error:
            print(error)
        assert sys.modules["fastparquet"] is real
        mine = hp.install_as_fastparquet(replace=True)
        assert sys.modules["fastparquet"] is mine and "fastparquet.core" not in sys.modules
    """)
    assert "2024.2.0 was imported already, from /somewhere" in told
    assert "replace=True" in told
