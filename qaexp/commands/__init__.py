"""One module a command; each has `main(argv) -> exit code` and is imported only when it is called."""
