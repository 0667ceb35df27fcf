"""What the client does in the world: connections, threads, waiting."""
