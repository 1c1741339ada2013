"""Stage 2: actions and states, from clips, frames or tracks."""
