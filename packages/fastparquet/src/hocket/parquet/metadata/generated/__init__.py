"""The structures of the format as Python classes: generated from ``parquet.thrift`` beside this.

Made by the Apache Thrift compiler (``python tools/parquet_thrift.py``); never edited by hand.
"""
