"""Scores and measures; numbers in, numbers out."""

from actparse.metrics.tps import TpsScore, tps_score

__all__ = ["TpsScore", "tps_score"]
