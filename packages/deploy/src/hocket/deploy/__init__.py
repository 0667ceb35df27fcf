"""Clusters: scheduler and workers brought to life on this machine (later issues: on others)."""

from __future__ import annotations

from hocket.deploy.local import LocalCluster

__all__ = ["LocalCluster"]
