"""What people in SynthTPS do, one module a kind."""
