"""One click command a file: read options, call, print."""
