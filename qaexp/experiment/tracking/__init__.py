"""The trackers that qaexp knows, one module a package, and what all of them are sent."""
