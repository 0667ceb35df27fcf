"""What pandas' metadata say when some columns are not in the files but tell their directories."""

from __future__ import annotations

import json
from collections.abc import Collection

__all__ = ["partitioned"]


def partitioned(text: str, keys: Collection[str]) -> str:
    """Return the metadata of a frame some of whose columns are partitions.

    Parameters
    ----------
    text
        The metadata of the frame.
    keys
        Names of these columns.
    """
    document = json.loads(text)
    columns = document.get("columns", [])
    document["columns"] = [each for each in columns if each.get("field_name") not in keys]
    told = [each for each in columns if each.get("field_name") in keys]
    document["partition_columns"] = [_described(each) for each in told]
    index = document.get("index_columns", [])
    document["index_columns"] = [
        each for each in index if isinstance(each, dict) or each not in keys
    ]
    return json.dumps(document)


def _described(column: dict[str, object]) -> dict[str, object]:
    name = column.get("field_name")
    if column.get("pandas_type") == "categorical":
        # The codes' dtype, which is told there, is not that of the values.
        return {**column, "name": name, "numpy_type": "", "metadata": None}
    return {**column, "name": name}
