"""Ranges of numbers, as parts of the types of a config's fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from actparse.core.errors import ConfigError
from actparse.core.ranges import AT_LEAST_0, Count, Counts, Share, expect_ranges


@dataclass(frozen=True)
class Config:
    frames: Count = 1
    epochs: Counts = (1, 2)
    share: Share = 0.5
    weights: Annotated[tuple[float, float] | None, AT_LEAST_0] = None
    name: str = "any"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"frames": 0}, "it.frames must be at least 1, got 0", id="number"),
        pytest.param({"epochs": (4, 0)}, r"it.epochs must be at least 1, got \(4, 0\)", id="one-of-several"),
        pytest.param({"share": float("nan")}, "it.share must be 0 to 1, got nan", id="nan"),
        pytest.param({"weights": (1.0, -0.5)}, r"it.weights must be at least 0, got \(1.0, -0.5\)", id="not-none"),
    ],
)
def test_a_number_outside_its_range_is_named(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        expect_ranges(Config(**changes), "it.")


def test_numbers_inside_their_ranges_pass() -> None:
    expect_ranges(Config(), "it.")
    expect_ranges(Config(frames=7, epochs=(), share=1.0, weights=(0.0, 2.0)), "it.")
