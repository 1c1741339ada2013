"""Preparation of metrics for JSON files."""

from __future__ import annotations

import math
from typing import Any


def without_nan(value: Any) -> Any:
    """Replace every NaN by None, which JSON can store; a NaN means that there was nothing to measure."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
