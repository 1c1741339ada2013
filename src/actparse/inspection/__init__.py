"""Measurements of a parse, a bundle or this machine."""
