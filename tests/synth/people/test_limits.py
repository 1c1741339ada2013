"""Joints of shaped bodies stay within the ranges of people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actparse.synth.actions.registry import ACTIONS, OTHER_MOTIONS
from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig
from actparse.synth.motion.figure import SIDES, BodySizes, Pose, Vector
from actparse.synth.motion.reach import within_reach
from actparse.synth.people.body import Joints, solve
from actparse.synth.people.limits import FOOT_RANGE, MAX_ELBOW, MAX_KNEE, MAX_WRIST, within_limits
from actparse.synth.people.shape import ADULT, build_shape

SIZES = build_shape(ADULT).sizes
SLACK = np.deg2rad(0.5)


def angle(first: Vector, second: Vector) -> float:
    return float(np.arccos(np.clip(first @ second / np.linalg.norm(first) / np.linalg.norm(second), -1, 1)))


def expect_limits(joints: Joints, sizes: BodySizes = SIZES) -> None:
    """Expect limbs of the lengths of the body, bent within the limits."""
    for side in SIDES:
        upper, fore = joints.elbows[side] - joints.shoulders[side], joints.wrists[side] - joints.elbows[side]
        thigh, shin = joints.knees[side] - joints.hips[side], joints.ankles[side] - joints.knees[side]
        lengths = [float(np.linalg.norm(bone)) for bone in (upper, fore, thigh, shin)]
        assert lengths == pytest.approx([sizes.upper_arm, sizes.forearm, sizes.thigh, sizes.shin], abs=1e-9)
        assert angle(upper, fore) <= MAX_ELBOW + SLACK
        assert angle(thigh, shin) <= MAX_KNEE + SLACK
        assert angle(fore, joints.hands[side]) <= MAX_WRIST + SLACK
        assert FOOT_RANGE[0] - SLACK <= angle(shin, joints.feet[side]) <= FOOT_RANGE[1] + SLACK


def posed(hand: tuple[float, float, float], foot: tuple[float, float, float], pelvis: float = 0.9) -> Joints:
    k, mirrored = SIZES.scale, np.array([-1, 1, 1])
    hands = {"left": np.array(hand) * k, "right": np.array(hand) * mirrored * k}
    feet = {"left": np.array(foot) * k, "right": np.array(foot) * mirrored * k}
    return solve(Pose(np.array([0, pelvis, 0]) * k, hands=hands, feet=feet), SIZES)


@pytest.mark.parametrize("action", [*ACTIONS, *OTHER_MOTIONS])
def test_motions_of_shaped_people_stay_within_the_limits(action: str) -> None:
    for seed in range(2):
        actor = build_cast(seed, action, config=SceneConfig(body="mesh")).actors[0]
        for seconds in np.arange(0.0, 10.0, 0.5):
            expect_limits(actor.joints_at(float(seconds))[0], actor.sizes)


def test_a_pose_within_the_limits_stays_as_it_is() -> None:
    joints = posed((0.27, 0.85, 0.05), (0.12, 0.08, 0.0))
    limited = within_limits(joints, SIZES)
    for name in ("elbows", "wrists", "hands", "knees", "ankles", "feet"):
        for side in SIDES:
            assert getattr(limited, name)[side] == pytest.approx(getattr(joints, name)[side], abs=1e-12)
    assert limited.pelvis is joints.pelvis


def hanging(pelvis: float, higher: float = 0.0) -> Joints:
    """Return a body at a bar at 1.93 m, with its right hand higher by `higher` metres."""
    k, feet = SIZES.scale, {"left": np.array([0.12, pelvis - 0.8, 0]), "right": np.array([-0.12, pelvis - 0.8, 0])}
    shoulders = solve(Pose(np.array([0, pelvis, 0]), hands=feet, feet=feet), SIZES).shoulders
    targets = {"left": np.array([0.2 * k, 1.93, 0.05]), "right": np.array([-0.2 * k, 1.93 + higher, 0.05])}
    length = SIZES.upper_arm + SIZES.forearm
    hands = {side: within_reach(shoulders[side], targets[side], length) for side in SIDES}
    return solve(Pose(np.array([0, pelvis, 0]), hands=hands, feet=feet), SIZES)


def test_a_folded_arm_ends_farther_from_the_shoulder() -> None:
    joints = posed((0.2, 1.42, 0.05), (0.12, 0.08, 0.0))
    limited = within_limits(joints, SIZES)
    expect_limits(limited)
    for side in SIDES:
        before, after = joints.wrists[side] - joints.shoulders[side], limited.wrists[side] - joints.shoulders[side]
        assert angle(before, after) == pytest.approx(0, abs=1e-6)
        assert np.linalg.norm(after) > np.linalg.norm(before)
    assert all((limited.ankles[side] == joints.ankles[side]).all() for side in SIDES)


def test_a_hanging_body_sinks_and_its_hands_stay() -> None:
    joints = posed((0.2, 1.93, 0.05), (0.12, 0.6, 0.0), pelvis=1.4)
    limited = within_limits(joints, SIZES)
    expect_limits(limited)
    assert limited.pelvis[1] < joints.pelvis[1] - 0.02
    for side in SIDES:
        assert limited.wrists[side] == pytest.approx(joints.wrists[side], abs=0.01)


def test_unequal_arms_keep_their_lengths_when_the_body_sinks() -> None:
    joints = hanging(1.4, higher=0.3)
    limited = within_limits(joints, SIZES)
    assert limited.pelvis[1] < joints.pelvis[1] - 0.01
    expect_limits(limited)


def test_a_jumper_with_a_folded_arm_does_not_sink() -> None:
    joints = posed((0.2, 1.42, 0.05), (0.12, 0.5, 0.0), pelvis=1.0)
    limited = within_limits(joints, SIZES)
    expect_limits(limited)
    assert limited.pelvis == pytest.approx(joints.pelvis, abs=1e-12)


def test_a_body_that_is_pulled_up_moves_without_jumps() -> None:
    heights = np.arange(0.95, 1.6, 0.005)  # from the feet on the floor until the hands are at the shoulders
    poses = [within_limits(hanging(float(height)), SIZES) for height in heights]
    for point in (lambda joints: joints.pelvis, lambda joints: joints.wrists["left"], lambda joints: joints.head):
        steps = np.linalg.norm(np.diff([point(joints) for joints in poses], axis=0), axis=1)
        assert steps.max() < 0.015


def test_hands_and_feet_against_their_bones_turn_back() -> None:
    joints = posed((0.27, 0.85, 0.05), (0.12, 0.08, 0.0))
    against = replace(
        joints,
        hands={side: (joints.elbows[side] - joints.wrists[side]) / SIZES.forearm for side in SIDES},
        feet={side: (joints.knees[side] - joints.ankles[side]) / SIZES.shin for side in SIDES},
    )
    expect_limits(within_limits(against, SIZES))


def test_feet_and_hands_turn_back() -> None:
    joints = posed((0.27, 0.85, 0.05), (0.12, 0.08, 0.0))
    up = np.array([0.0, 1.0, 0.0])
    bent = replace(joints, feet=dict.fromkeys(SIDES, up), hands=dict.fromkeys(SIDES, up))
    limited = within_limits(bent, SIZES)
    expect_limits(limited)
    for side in SIDES:
        assert np.linalg.norm(limited.feet[side]) == pytest.approx(1)
        assert np.linalg.norm(limited.hands[side]) == pytest.approx(1)
