"""Parsing of many videos on many machines: sources and results at URIs, a manifest, workers on Ray or in processes."""
