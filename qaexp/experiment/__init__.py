"""One run: `one_run.py` shows it on one screen, from the parts that the other modules hold."""
