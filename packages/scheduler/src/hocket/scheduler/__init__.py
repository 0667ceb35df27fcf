"""hocket's scheduler: a pure state machine, its policies, and the shell that gives it sockets."""
