"""A standalone Parquet library with Numba kernels."""
