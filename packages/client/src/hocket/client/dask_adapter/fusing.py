"""Operations of dataframes that go partition by partition: made one task for each partition.

dask knows how to do that to its expressions, but computes them as they are. (Its arrays and bags it
fuses by itself.)
"""

from __future__ import annotations

from typing import Any

from hocket.core.loaded_modules import loaded_module

__all__ = ["fused"]


def fused(expression: Any) -> Any:
    """Return an expression of dask with its operations fused that go partition by partition.

    What several others need stays a task of its own, so nothing is computed twice. Users who set
    ``optimization.fuse.active`` of dask to false get the expression as it is.

    Parameters
    ----------
    expression
        Lowered, as dask hands it to schedulers. Its keys may be others afterwards.
    """
    frames, config = loaded_module("dask.dataframe.dask_expr._expr"), loaded_module("dask.config")
    fuse = getattr(frames, "optimize_blockwise_fusion", None)
    if fuse is None or config is None or config.get("optimization.fuse.active", None) is False:
        return expression
    return fuse(expression)
