"""Options of a training run are checked when they are created."""

from __future__ import annotations

import math
from typing import Any

import pytest

from actparse.core.errors import ConfigError
from training.small import tiny_options


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"minutes": 1.0}, "at most one of minutes, epochs and steps", id="two-lengths"),
        pytest.param({"steps": 0}, "train.steps must be greater than 0", id="no-steps"),
        pytest.param({"steps": None, "minutes": math.nan}, "train.minutes must be greater than 0 and", id="nan"),
        pytest.param({"steps": None, "epochs": math.inf}, "train.epochs must be .* finite, got inf", id="endless"),
        pytest.param({"seed": -1}, "train.seed must be at least 0 and at most 4294967295, got -1", id="seed"),
        pytest.param({"seed": 2**32}, "train.seed must be .*, got 4294967296", id="large-seed"),
        pytest.param({"threads": 0}, "train.threads must be at least 1", id="no-threads"),
        pytest.param({"device": "tpu"}, "train.device must be one of auto, cpu, cuda", id="device"),
    ],
)
def test_options_are_checked(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        tiny_options(**changes)
