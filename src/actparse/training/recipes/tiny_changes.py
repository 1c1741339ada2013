"""Changes to a tiny recipe: its learning rate, and the labelling level of a clip network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from actparse.core.errors import ConfigError, TrainingError
from actparse.training.samples.levels import LEVEL_CHANGES, level_from_text

RATE = "learning_rate"


def expect_tiny_changes(recipe: str, changes: Mapping[str, str]) -> None:
    """Check the changes of a run.

    Raises:
        ConfigError: the recipe has no such hyperparameter, or its value is not valid.
    """
    learns_from_videos = recipe.startswith(("action", "states-")) and recipe != "action-pretrained"
    names = (*(() if recipe == "tiny" else (RATE,)), *(LEVEL_CHANGES if learns_from_videos else ()))
    unsupported = sorted(set(changes) - set(names))
    if unsupported:
        can = f"can change {', '.join(names)}" if names else "has no numbers to change"
        raise ConfigError(f"train: {recipe} {can} at size tiny, got {', '.join(unsupported)}")
    level_from_text(changes)
    rate_from_text(changes)


def expect_same_changes(path: Path, stored: Mapping[str, str], requested: Mapping[str, str]) -> None:
    """Check that a resumed run has the changes that it was begun with; 3e-4 and 0.0003 are equal.

    Args:
        path: the file with the stored changes.
        stored: the changes at the beginning of the run.
        requested: the changes of the resumed run.

    Raises:
        TrainingError: the changes differ.
    """
    if _values(stored) != _values(requested):
        had, got = dict(stored) or "no changes", dict(requested) or "none"
        raise TrainingError(f"{path}: the run was begun with {had}, got {got}. Use a different --out to train again.")


def _values(changes: Mapping[str, str]) -> dict[str, float | str]:
    return {name: _value(text) for name, text in changes.items()}


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def rate_from_text(changes: Mapping[str, str]) -> float | None:
    """Return the maximum learning rate that a run's changes request; None means the recipe's default.

    Raises:
        ConfigError: the rate is not a number greater than 0.
    """
    text = changes.get(RATE)
    if text is None:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise ConfigError(f"train: {RATE} must be a number greater than 0, got {text!r}")
    return rate
