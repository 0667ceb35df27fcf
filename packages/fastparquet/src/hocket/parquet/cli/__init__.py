"""The command ``hocket-parquet``: what is in a file, and whether it is whole."""
