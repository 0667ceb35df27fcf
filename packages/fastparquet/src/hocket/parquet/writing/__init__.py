"""Files: their row groups and footers, written by threads, there whole or not at all."""
