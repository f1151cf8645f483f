"""Measurements against other implementations; tests hold qaexp against the same references."""
