"""The subcommands as they are declared; what they do is imported when one runs."""
