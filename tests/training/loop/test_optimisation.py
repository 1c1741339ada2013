from __future__ import annotations

import numpy as np
import pytest

from actparse.training.loop.optimisation import one_cycle, rule_factor
from actparse.training.task import StepRule
from golden_rule_video import load

VALUES = load("lr")
SCHEDULES = sorted(key.removesuffix("__param") for key in VALUES if key.endswith("__param"))


@pytest.mark.parametrize("name", SCHEDULES)
def test_golden_step_schedules(name: str) -> None:
    base_lr, per_epoch, epochs, gamma, warmup, start, *milestones = VALUES[f"{name}__param"].tolist()
    rule = StepRule(
        epochs=int(epochs),
        milestones=tuple(int(milestone) for milestone in milestones),
        gamma=gamma,
        warmup_iterations=int(warmup),
        warmup_start=start,
    )
    rates = [base_lr * rule_factor(rule, step, int(per_epoch)) for step in VALUES[f"{name}__iteration"].tolist()]
    np.testing.assert_allclose(rates, VALUES[f"{name}__lr"], rtol=1e-9, atol=1e-18)


def test_golden_warm_up_once_an_epoch() -> None:
    base_lr = float(VALUES["csn_epochwise__lr"][20])
    rule = StepRule(epochs=58, milestones=(32, 48), warmup_epochs=16, warmup_by_epoch=True, warmup_start=0.1)
    rates = [base_lr * rule_factor(rule, 10 * epoch + 9, 10) for epoch in VALUES["csn_epochwise__epoch"].tolist()]
    np.testing.assert_allclose(rates, VALUES["csn_epochwise__lr"], rtol=1e-9)


def test_one_cycle_rises_then_falls() -> None:
    factors = [one_cycle(step, 100) for step in range(102)]
    assert factors[0] == pytest.approx(0.02)
    assert int(np.argmax(factors)) in (3, 4)
    assert factors[52] == pytest.approx(0.005 + 0.995 * (1 + np.cos(0.52 * np.pi)) / 2)
    assert factors[100] == factors[101] == pytest.approx(0.005)
