"""Examples, features and batches: everything between a data file and the first step."""
