"""Stage 3: one action and the states together, and why."""
