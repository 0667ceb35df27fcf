"""From the bytes of a column chunk to arrays of values, levels and validity."""
