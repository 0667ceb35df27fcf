"""From levels to lists, maps and structs."""
