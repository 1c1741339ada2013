"""Samples of annotated videos, decoded, with their augmentation."""
