"""Changing datasets: every edit takes effect as a whole or not at all."""
