"""Text on a terminal, or in a pipe: outlets, tables, bars and sentences."""
