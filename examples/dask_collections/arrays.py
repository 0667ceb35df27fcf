"""dask.array: statistics of the flights' numbers, in blocks, as NumPy has them."""

from __future__ import annotations

from collections.abc import Iterator

import dask.array as da
import numpy as np
import pandas as pd


def answers(flights: pd.DataFrame) -> Iterator[tuple[str, object, object]]:
    """Yield what was asked, dask's answer, and NumPy's."""
    numbers = flights[["dep_delay", "arr_delay", "air_time", "distance"]].dropna().to_numpy()
    blocks = da.from_array(numbers, chunks=(10_000, 4))

    centred = blocks - blocks.mean(axis=0)
    covariance = (centred.T @ centred / (len(numbers) - 1)).compute()
    expected = np.cov(numbers, rowvar=False)
    yield "covariances", covariance.round(3).tolist(), expected.round(3).tolist()

    counts, edges = da.histogram(blocks[:, 0], bins=8, range=[-50, 350])
    expected = np.histogram(numbers[:, 0], edges)[0]
    yield "departure delays", counts.compute().tolist(), expected.tolist()

    # From rows to columns: each new block takes a piece of all old ones.
    spread = blocks.rechunk((len(numbers), 1)).map_blocks(np.median, axis=0, keepdims=True)
    medians = spread.compute()[0].tolist()
    yield "medians", medians, np.median(numbers, axis=0).tolist()

    smooth = da.overlap.overlap(blocks[:, 3], depth=2, boundary="reflect")
    mean = smooth.map_blocks(_running_mean).mean().compute()
    padded = np.pad(numbers[:, 3], 2, mode="symmetric")
    expected = _running_mean(padded).mean()
    yield "mean of running means", round(float(mean), 6), round(float(expected), 6)


def _running_mean(block: np.ndarray) -> np.ndarray:
    return np.convolve(block, np.full(5, 0.2), mode="valid")
