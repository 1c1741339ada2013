"""Bodies and clothes of the people in SynthTPS."""
