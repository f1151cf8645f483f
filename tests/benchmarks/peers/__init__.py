"""Drills carried out on qaexp and on what others use in its place."""
