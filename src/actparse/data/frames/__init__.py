"""Annotated frames of videos: decoded once into memory maps, or on demand, with their annotations as flat arrays."""
