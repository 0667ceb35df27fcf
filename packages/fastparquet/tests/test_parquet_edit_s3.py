"""Datasets in an object store, which copies and removes where others rename."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hocket.parquet as hp
from hocket.parquet.api import compact, update_file_custom_metadata, write
from hocket.parquet.dataset.commit import RECORD
from hocket.parquet.dataset.edit.folders import folder_at
from hocket.parquet.errors import EditConflict

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

_FRAME = pd.DataFrame({"k": np.arange(12) % 3, "n": np.arange(12)})


@pytest.fixture(scope="module")
def filesystem():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = s3fs.S3FileSystem(
        key="test", secret="test", client_kwargs={"endpoint_url": f"http://{host}:{port}"}
    )
    store.mkdir("bucket")
    yield store
    server.stop()


def _numbers(place, filesystem):
    return sorted(hp.read(place, fs=filesystem)["n"].tolist())


def test_a_dataset_is_edited(filesystem):
    place = "bucket/set"
    options = {"file_scheme": "hive", "partition_on": ["k"], "fs": filesystem}
    write(place, _FRAME, **options)
    write(place, _FRAME.assign(n=_FRAME["n"] + 100), append=True, **options)
    assert _numbers(place, filesystem) == [*range(12), *range(100, 112)]
    write(place, _FRAME[:1], append="overwrite", **options)
    file = hp.ParquetFile(place, fs=filesystem)
    file.remove_row_groups([len(file) - 1])
    assert compact(place, fs=filesystem) == 4
    update_file_custom_metadata(place, {"a": "b"}, fs=filesystem)
    kept = [at for at in range(12) if at % 3]
    assert _numbers(place, filesystem) == [*kept, *(100 + at for at in kept)]
    names = filesystem.find(place)
    assert not [name for name in names if ".hocket" in name or RECORD in name]


def test_a_file_is_added_to(filesystem):
    place = "bucket/one.parquet"
    write(place, _FRAME, fs=filesystem)
    write(place, _FRAME, fs=filesystem, append=True)
    assert len(hp.read(place, fs=filesystem)) == 24


def test_one_writer_gets_the_lock(filesystem):
    folder = folder_at("bucket/locked", filesystem)
    with folder.lock(0):
        other = folder_at("bucket/locked", filesystem)
        with pytest.raises(EditConflict, match="another writer"), other.lock(0.1):
            pytest.fail("both got in")
    with folder.lock(0):
        pass
