"""The vocabulary of hocket and its task graphs: specification, ordering, rewriting, local executors."""
