"""Files that are whole or absent: atomic replacement, appended lines, locks."""
