"""One run: `one_run.py` tells it on one screen, the other modules are what it strings together."""
