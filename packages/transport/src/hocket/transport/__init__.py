"""Sockets, child processes and the real clock for hocket."""
