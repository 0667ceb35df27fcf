"""hocket's client: submit, map, gather, futures."""
