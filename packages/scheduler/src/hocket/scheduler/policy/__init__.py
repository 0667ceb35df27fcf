"""Policies: small pure modules that read the tables and say what should be done."""
