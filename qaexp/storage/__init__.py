"""Bytes and text: how files are read, written as a whole or not at all, formatted, and kept free of secrets."""
