"""Running other programs: bounded in time and output, nothing left behind."""
