"""`sweep=optuna`: a search that an optimiser leads."""
