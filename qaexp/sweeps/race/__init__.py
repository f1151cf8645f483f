"""`sweep=race`: configurations get seed after seed, and those that are worse with error control get no more."""
