"""hocket's simulator: the real machines in virtual time, on a network that fails."""
