from __future__ import annotations

import math

import numpy as np
import pytest

from actparse.core.errors import ShapeError
from actparse.core.vocabulary import KEYPOINTS, PARTS
from actparse.metrics.state_lag import PoseTrack, agreement_by_lag, best_lag
from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig

STEP = 0.05


def raising_an_arm(delay_seconds: float) -> PoseTrack:
    """A wrist that goes up and down, and an arm whose state follows it."""
    times = np.arange(0.0, 20.0, STEP)
    keypoints = np.zeros((len(times), 17, 2))
    keypoints[:, 5:7, 1], keypoints[:, 11:13, 1] = -100.0, 0.0
    keypoints[:, KEYPOINTS.index("left_wrist"), 1] = -60 - 50 * np.sin(0.5 * np.pi * times)
    states = np.full((len(times), len(PARTS)), "none", dtype="<U8")
    up = np.sin(0.5 * np.pi * (times - delay_seconds)) > 0
    states[:, PARTS.index("left_arm")] = np.where(up, "lift", "unbend")
    return PoseTrack(keypoints, states)


@pytest.mark.parametrize("delay", [-0.5, -0.1, 0.0, 0.3])
def test_a_planted_delay_is_found(delay: float) -> None:
    assert best_lag([raising_an_arm(delay)], STEP) == pytest.approx(delay, abs=0.03)


def test_agreement_is_a_share_of_the_variance() -> None:
    lags, agreement = agreement_by_lag([raising_an_arm(0.0)], STEP)
    assert lags[[0, 20, -1]] == pytest.approx([-1.0, 0.0, 1.0])
    assert agreement.max() == pytest.approx(8 / np.pi**2, abs=0.02)  # of a sine by its sign
    assert agreement[0] < 0.05


def test_without_people_or_change_there_is_no_lag() -> None:
    still = PoseTrack(np.ones((100, 17, 2)), np.full((100, len(PARTS)), "none"))
    assert math.isnan(best_lag([], STEP))
    assert math.isnan(best_lag([still], STEP))


def test_states_of_another_length_are_an_error() -> None:
    with pytest.raises(ShapeError, match="states"):
        PoseTrack(np.ones((10, 17, 2)), np.full((9, len(PARTS)), "none"))


@pytest.mark.parametrize("action", ["deadlifting", "lunge", "snatch_weight_lifting", "push_up"])
def test_states_of_the_generator_do_not_lead_the_pose(action: str) -> None:
    tracks, step = [], 0.1
    for seed in range(3):
        cast = build_cast(seed, action, config=SceneConfig(bystander_share=0.0))
        seen = [cast.keypoints(float(time)) for time in np.arange(0.0, 16.0, step)]
        states = np.array([[said[0][part] for part in PARTS] for _, said in seen])
        tracks.append(PoseTrack(np.stack([points[0] for points, _ in seen]), states))
    assert abs(best_lag(tracks, step)) <= 0.15
