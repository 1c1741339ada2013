"""The motions of people in SynthTPS, one module for each kind."""
