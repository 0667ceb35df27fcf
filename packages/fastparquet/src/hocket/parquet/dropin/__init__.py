"""The names of fastparquet, for programs that import that library."""
