"""hocket's worker: a pure state machine, executors, data store and transfers."""
