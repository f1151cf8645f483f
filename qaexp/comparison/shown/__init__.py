"""A comparison as people and programs read it: terminal, page, paper and JSON."""
