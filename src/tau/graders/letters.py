"""Characters that stand next to numbers."""

THIN = "\u00a0\u2009\u202f"
LETTER = "A-Za-z\u00aa\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u052f\u1e00-\u1fff"
"""Letters of scripts that put blanks between words: next to a digit they make it part of a name."""
