"""The command line: one command a file, imports inside the function bodies."""
