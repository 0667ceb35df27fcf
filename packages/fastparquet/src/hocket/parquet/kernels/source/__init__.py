"""The kernels themselves, in the language of `hocket.parquet.kernels.language` and nothing else."""
