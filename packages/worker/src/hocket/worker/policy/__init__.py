"""Decisions of the worker, each a small pure module that may be replaced."""
