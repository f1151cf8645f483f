"""Pictures, tables and the page of a run, made from its files alone."""
