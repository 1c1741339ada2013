"""Scores and metrics, computed from plain numbers and arrays."""

from actparse.metrics.tps import TpsScore, tps_score

__all__ = ["TpsScore", "tps_score"]
