"""What qaexp does on a GPU, in one command: `python -m tests.benchmarks.gpu --minutes 4`."""
