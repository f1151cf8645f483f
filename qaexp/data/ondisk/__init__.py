"""Data sets that are too large for memory: examples and features in files of the cache, read where they are needed."""
