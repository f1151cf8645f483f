"""Pure statistics of paired scores: tests, intervals, power."""
