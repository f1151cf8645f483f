"""All runs and sweeps below some folders on one page that lives: what changed is read, and nothing is written."""
