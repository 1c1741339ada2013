"""The actions of the generator that SynthTPS-1.1 lacks: hands and feet are where their states and props say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from actparse.core.vocabulary import GROUPS
from actparse.synth import causes
from actparse.synth.actions import registry
from actparse.synth.actions.rides.bull import BACK
from actparse.synth.actions.rides.skateboard import HALF_LENGTH
from actparse.synth.casting import build_cast
from actparse.synth.config import SceneConfig
from actparse.synth.dataset import BENCHMARKS
from actparse.synth.motion.figure import SIDES, BodySizes, Moment
from actparse.synth.people.body import Joints, solve

NEW_ACTIONS = registry.ACTIONS[18:]
ALONE = SceneConfig(bystander_share=0.0)


def moments(action: str, *, seeds: int = 4) -> Iterator[tuple[Moment, Joints, BodySizes]]:
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        sizes = registry.draw_body(action, rng)
        performer = registry.build_performer(action, rng, sizes)
        for time in np.arange(0.0, 16.0, 0.25):
            moment = performer.at(float(time))
            yield moment, solve(moment.pose, sizes), sizes


def test_the_first_benchmark_has_the_actions_that_it_had() -> None:
    assert registry.ACTIONS[:18] == registry.ACTIONS_V1
    assert [video.action for video in BENCHMARKS["SynthTPS-v1"].videos("val")[17:19]] == ["hammer_throw", "deadlifting"]


@pytest.mark.parametrize("action", NEW_ACTIONS)
def test_knees_and_elbows_bend_within_limits(action: str) -> None:
    for _, joints, _ in moments(action):
        for side in SIDES:
            for start, middle, end in (
                (joints.hips[side], joints.knees[side], joints.ankles[side]),
                (joints.shoulders[side], joints.elbows[side], joints.wrists[side]),
            ):
                one, two = start - middle, end - middle
                cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
                assert 10 < np.degrees(np.arccos(np.clip(cosine, -1, 1))) < 177


def test_a_baby_has_a_large_head_and_crawls_with_hands_and_knees_on_the_floor() -> None:
    supports = []
    for moment, joints, sizes in moments("crawling_baby"):
        assert sizes.scale < 0.6
        assert sizes.head > 1.3
        joint_heights = [joints.knees[side][1] for side in SIDES] + [joints.elbows[side][1] for side in SIDES]
        assert min(joint_heights) > -0.02
        if moment.states["left_hand"] == moment.states["right_hand"] == "push":
            supports.append(min(float(joints.wrists[side][1]) for side in SIDES))
            assert joints.head[1] > 0.15
    assert np.percentile(supports, 90) < 0.06


def test_both_feet_of_a_rider_are_on_the_board() -> None:
    for moment, joints, _ in moments("skateboarding"):
        deck = np.asarray(moment.props[0].path)
        middle = deck.mean(axis=0)
        if moment.states["left_leg"] == moment.states["right_leg"] == "raise":
            assert min(float(joints.ankles[side][1]) for side in SIDES) > deck[:, 1].min()
        if moment.states["left_leg"] == moment.states["right_leg"] == "bend":
            gaps = [float(np.linalg.norm((joints.ankles[side] - middle)[[0, 2]])) for side in SIDES]
            assert min(gaps) < HALF_LENGTH


def test_a_hand_holds_the_bull_while_the_other_is_in_the_air() -> None:
    gaps = []
    for moment, joints, _ in moments("riding_mechanical_bull"):
        hands = (moment.states["left_hand"], moment.states["right_hand"])
        if moment.states["hip"] == "swing" and sorted(hands) == ["hold", "none"]:
            side = "left" if hands[0] == "hold" else "right"
            free = "right" if side == "left" else "left"
            gaps.append(abs(float(joints.wrists[side][1]) - BACK))
            assert joints.wrists[free][1] > joints.wrists[side][1]
    assert len(gaps) > 20
    assert np.median(gaps) < 0.2


def test_a_crowd_carries_the_surfer_with_its_hands() -> None:
    for seed in range(3):
        cast = build_cast(seed, "surfing_crowd", config=ALONE)
        assert len(cast.actors) == 7
        surfer, *crowd = cast.actors
        joints, moment = surfer.joints_at(3.0)
        assert moment.states["left_foot"] == "none"
        height = float(joints.pelvis[1])
        lifted = []
        for actor in crowd:
            below, their = actor.joints_at(3.0)
            lifted += [float(below.wrists[side][1]) for side in SIDES if their.states[f"{side}_hand"] == "push"]
        assert lifted
        assert height - 0.45 < np.mean(lifted) < height


@pytest.mark.parametrize("action", NEW_ACTIONS)
def test_left_and_right_differ_at_times(action: str) -> None:
    differ = [moment.states["left_arm"] != moment.states["right_arm"] for moment, _, _ in moments(action, seeds=10)]
    assert np.mean(differ) > 0.05


def test_new_actions_have_planted_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = causes.planted_shares(6)
    monkeypatch.setattr(causes, "planted_shares", lambda: shares)
    for action in NEW_ACTIONS:
        assert sorted(causes.usual_causes(action)) == sorted(GROUPS)


def test_bystanders_can_do_the_motions_that_are_no_action() -> None:
    rng = np.random.default_rng(0)
    sizes = registry.draw_body("lunge", rng)
    for kind in registry.OTHER_MOTIONS:
        moment = registry.build_bystander(rng, sizes, (kind,)).at(2.0)
        assert len(moment.states) == 10
