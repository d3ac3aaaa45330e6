"""The runner: workers that claim rollouts, execute, grade and record them."""
