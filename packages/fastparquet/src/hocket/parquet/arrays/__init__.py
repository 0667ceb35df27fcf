"""Values on their way into a file: columns in Arrow's layout, and the fields that they fill."""
