"""The version of qaexp."""

__version__ = "0.1.0"
