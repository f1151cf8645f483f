"""The words of a command line: options, flags, modes, and what is wrong with them."""
