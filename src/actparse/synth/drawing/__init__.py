"""Cameras, surroundings and pictures of SynthTPS."""
