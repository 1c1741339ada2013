"""Stage 3: one action, the states, and the reasons for the action."""
