"""Configuration: files, datasets and the environment become one validated value."""
