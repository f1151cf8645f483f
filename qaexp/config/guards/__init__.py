"""What a config may not do: name foreign objects, read the environment, grow without bounds, open other files."""
