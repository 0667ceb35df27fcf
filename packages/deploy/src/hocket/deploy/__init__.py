"""Clusters for hocket: on a laptop, over SSH, on job queues."""
