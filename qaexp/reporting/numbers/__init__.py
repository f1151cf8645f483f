"""The numbers and words behind tables, pictures and page, from a run's files alone."""
