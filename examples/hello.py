"""Hocket in ten lines: a cluster on this machine, many tasks, and one that takes their results."""

from __future__ import annotations

from hocket.client import Client

with Client() as client:
    squares = client.map(lambda number: number * number, range(10))
    total = client.submit(sum, squares)
    print(*client.gather(squares), "add up to", total.result())
