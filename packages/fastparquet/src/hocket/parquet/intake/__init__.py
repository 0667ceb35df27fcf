"""What users hand to a writer as columns in memory: pandas, NumPy, Arrow streams, objects."""
