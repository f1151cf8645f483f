"""A local server: its address, who may ask it, what every reply has, and its end; what it answers is told it."""
