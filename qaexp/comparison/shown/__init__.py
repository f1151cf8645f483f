"""Renders a comparison: terminal, page, paper and JSON."""
