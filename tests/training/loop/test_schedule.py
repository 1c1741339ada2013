from __future__ import annotations

import re

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.training.loop.schedule import CosineSchedule, StepSchedule
from golden_rule_video import load

VALUES = load("lr")
SCHEDULES = sorted(key.removesuffix("__param") for key in VALUES if key.endswith("__param"))


@pytest.mark.parametrize("name", SCHEDULES)
def test_golden_step_schedules(name: str) -> None:
    base_lr, per_epoch, _epochs, gamma, warmup, start, *milestones = VALUES[f"{name}__param"].tolist()
    schedule = StepSchedule(
        base_lr=base_lr,
        iterations_per_epoch=int(per_epoch),
        milestones=tuple(int(m) for m in milestones),
        gamma=gamma,
        warmup_iterations=int(warmup),
        warmup_start=start,
    )
    got = [schedule.lr(i) for i in VALUES[f"{name}__iteration"].tolist()]
    np.testing.assert_allclose(got, VALUES[f"{name}__lr"], rtol=1e-9, atol=1e-18)


def test_golden_warm_up_once_an_epoch() -> None:
    base_lr = float(VALUES["csn_epochwise__lr"][20])
    schedule = StepSchedule(
        base_lr=base_lr, iterations_per_epoch=10, milestones=(32, 48), warmup_epochs=16, warmup_start=0.1
    )
    got = [schedule.lr(10 * e + 9) for e in VALUES["csn_epochwise__epoch"].tolist()]
    np.testing.assert_allclose(got, VALUES["csn_epochwise__lr"], rtol=1e-9)


def test_cosine_cycles() -> None:
    schedule = CosineSchedule(base_lr=2.0, num_iterations=100, num_cycles=2, warmup_iterations=10, end=0.1)
    assert schedule.lr(0) == 0
    assert schedule.lr(5) == pytest.approx(schedule.lr(55) / 2)
    assert schedule.lr(25) == pytest.approx(2 * 0.55)
    assert schedule.lr(50) == 2.0
    assert schedule.lr(99) == pytest.approx(0.2, abs=0.01)
    assert schedule.lr(100) == schedule.lr(1000) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_lr": 0.0}, "schedule.base_lr must be greater than 0, got 0.0"),
        ({"iterations_per_epoch": 0}, "schedule.iterations_per_epoch must be greater than 0, got 0"),
        ({"warmup_start": 1.5}, "schedule.warmup_start must be 0 to 1, got 1.5"),
        ({"warmup_iterations": 2, "warmup_epochs": 2}, "must not both be set, got 2 and 2"),
        ({"warmup_epochs": -1}, "schedule.warmup_epochs must be at least 0, got -1"),
    ],
)
def test_step_errors(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        StepSchedule(**{"base_lr": 0.1, "iterations_per_epoch": 10, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_cycles": 0}, "schedule.num_cycles must be 1 to 10, got 0"),
        ({"end": -0.1}, "schedule.end must be 0 to 1, got -0.1"),
        ({"warmup_iterations": -1}, "schedule.warmup_iterations must be at least 0, got -1"),
    ],
)
def test_cosine_errors(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        CosineSchedule(**{"base_lr": 0.1, "num_iterations": 10, **change})
