"""The command line: two programs over the same functions, and the one synchronous edge."""
