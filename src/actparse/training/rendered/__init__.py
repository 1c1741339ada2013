"""Samples that are rendered or simulated, and belong to no dataset."""
