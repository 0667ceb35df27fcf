"""Values and levels of a leaf to the pages of a column chunk."""
