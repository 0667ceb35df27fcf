"""The vocabulary of hocket: errors, units, settings. Nothing in here opens a connection."""
