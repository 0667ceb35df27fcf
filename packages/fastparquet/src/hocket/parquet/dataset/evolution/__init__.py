"""Files of one dataset with different schemas: one schema for all, and how each file fits it."""
