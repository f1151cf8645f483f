"""An open run: all that writes into a run directory."""
