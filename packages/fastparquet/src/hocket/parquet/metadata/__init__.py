"""What a Parquet file says of itself: footer, schema, statistics, page index, bloom filters."""
