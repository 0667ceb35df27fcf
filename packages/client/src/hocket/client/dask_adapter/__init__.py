"""Dask's collections on a cluster of ours: graphs taken over, futures put in, defaults set.

The only room of the client that imports dask, and it does so when a collection is used or the
client is to be dask's default. dask is an extra: ``pip install hocket-client[dask]``.
"""
