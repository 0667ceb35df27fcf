"""Locks, semaphores, events, variables, queues and barriers, shared by all clients of a cluster."""
