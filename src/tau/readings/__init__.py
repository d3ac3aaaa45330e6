"""What is stored of a run, read as scores: computed once here, put into words by every surface."""
