"""Configs: their types, their checks, and the one place that builds objects from them."""
