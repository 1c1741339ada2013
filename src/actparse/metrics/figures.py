"""Figures on their way to a file."""

from __future__ import annotations

import math
from typing import Any


def without_nan(value: Any) -> Any:
    """Figures as JSON can hold them: None where there was nothing to measure."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
