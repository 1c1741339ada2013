"""Shared modules that every package may import: vocabulary, result types, errors, files, processes, progress."""
