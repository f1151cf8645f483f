"""Training: a loop that yields records, and all that it is made of."""
