"""What can be changed of a tiny recipe: its learning rate, and what a clip network labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from actparse.core.errors import ConfigError, TrainingError
from actparse.training.levels import LEVEL_CHANGES, level_from_text

RATE = "learning_rate"


def expect_tiny_changes(recipe: str, changes: Mapping[str, str]) -> None:
    """Check the changes of a run.

    Raises:
        ConfigError: the recipe has no such number, or its value is none.
    """
    learns_from_videos = recipe.startswith(("action", "states-")) and recipe != "action-pretrained"
    names = (*(() if recipe == "tiny" else (RATE,)), *(LEVEL_CHANGES if learns_from_videos else ()))
    other = sorted(set(changes) - set(names))
    if other:
        can = f"can change {', '.join(names)}" if names else "has no numbers to change"
        raise ConfigError(f"train: {recipe} {can} at size tiny, got {', '.join(other)}")
    level_from_text(changes)
    rate_from_text(changes)


def expect_same_changes(path: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """A run keeps the changes that it was begun with; 3e-4 and 0.0003 are the same.

    Raises:
        TrainingError: others are asked for; `path` is the file that knows those of before.
    """
    if _values(before) != _values(now):
        had, got = dict(before) or "no changes", dict(now) or "none"
        raise TrainingError(f"{path}: the run was begun with {had}, got {got}: another --out?")


def _values(changes: Mapping[str, str]) -> dict[str, float | str]:
    return {name: _number(text) for name, text in changes.items()}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def rate_from_text(changes: Mapping[str, str]) -> float | None:
    """The learning rate at the top of the cycle that a run's changes ask for; None is the recipe's own.

    Raises:
        ConfigError: it is not a number greater than 0.
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
