"""Where concrete classes meet: configuration in, running parts out."""
