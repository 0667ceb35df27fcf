"""The HTTP side: one Tornado application for a scheduler, a worker, or a process of its own."""
