"""Values that outlive the client that left them; and tasks that are tried again."""

from __future__ import annotations

import operator
from pathlib import Path

import pytest

from hocket.client import Client
from hocket.core.errors import DuplicateKey, UnknownKey
from hocket.deploy import LocalCluster


def test_data_sets_outlive_their_client(cluster: LocalCluster) -> None:
    with Client(cluster) as first:
        parts = first.map(operator.neg, range(5))
        first.publish_dataset({"parts": parts, "note": "negated"}, name="numbers")
        first.publish_dataset(small=3)
        with pytest.raises(DuplicateKey, match="numbers"):
            first.publish_dataset(4, name="numbers")
        first.publish_dataset(4, name="small", override=True)
    with Client(cluster) as second:
        assert second.list_datasets() == ["numbers", "small"]
        found = second.get_dataset("numbers")
        assert found["note"] == "negated"
        assert second.gather(found["parts"]) == [0, -1, -2, -3, -4]
        assert second.get_dataset("small") == 4
        second.unpublish_dataset("numbers")
        second.unpublish_dataset("small")
        assert second.list_datasets() == []
        assert second.get_dataset("numbers", default=None) is None
        with pytest.raises(UnknownKey, match="numbers"):
            second.get_dataset("numbers")
        with pytest.raises(TypeError, match="name="):
            second.publish_dataset(1)


def once_there(path: Path) -> str:
    return path.read_text()


def test_a_failed_task_is_tried_again(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "late"
    first = client.submit(once_there, path)
    second = client.submit(len, first)
    with pytest.raises(FileNotFoundError):
        second.result(timeout=10)
    path.write_text("there")
    client.retry([second])
    assert second.result(timeout=10) == 5
    assert first.result(timeout=10) == "there"
    # What has not failed is left alone.
    second.retry()
    assert second.status == "finished"
