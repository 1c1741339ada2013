"""The cameras, the scenery and the pictures of SynthTPS."""
