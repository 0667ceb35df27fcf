"""Decoded columns as arrays of pandas, of Arrow, and as Python values."""
