"""This library under the names of fastparquet, for programs that import that one."""
