"""The `demo` data set, and how it is made."""
