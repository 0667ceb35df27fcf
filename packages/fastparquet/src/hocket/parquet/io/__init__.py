"""Bytes of local files, file objects, memory and remote stores, to read from and to write to."""
