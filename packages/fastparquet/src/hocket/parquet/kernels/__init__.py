"""The inner loops, written once: compiled ahead of time, compiled at first use, or interpreted."""
