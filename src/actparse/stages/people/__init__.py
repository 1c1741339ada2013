"""Stage 1: persons, their poses and their body parts, per sampled frame."""
