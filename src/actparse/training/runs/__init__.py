"""The start of training runs: one network or a bundle, its jobs and its files."""
