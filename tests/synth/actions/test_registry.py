"""Every action: continuous, reachable, deterministic, and with states that neither a constant nor the action tells."""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUP_PARTS, GROUPS, KEYPOINTS, PARTS
from actparse.synth.actions import registry as motion
from actparse.synth.actions.bystander import BYSTANDERS
from actparse.synth.drawing.backdrop import PLACES
from actparse.synth.motion.figure import SIDE_SIGN, SIDES, BodySizes, Moment
from actparse.synth.motion.keys import ANKLE, standing
from actparse.synth.motion.phases import STATES, ScriptedPerformer
from actparse.synth.motion.reach import MAX_REACH, trunk
from actparse.synth.people.body import solve

NUM_PERFORMERS, NUM_FRAMES, FRAME_RATE = 10, 110, 10
SEGMENTS_3_S = ((0, 37), (37, 74), (74, 110))
SEGMENT_ALL = ((0, 110),)


def draw_sizes(rng: np.random.Generator) -> BodySizes:
    scale = float(rng.uniform(0.9, 1.1))
    thigh, shin, upper, fore, shoulder, hip = (
        np.array([0.43, 0.42, 0.29, 0.26, 0.18, 0.095]) * scale * rng.uniform(0.95, 1.05, 6)
    ).tolist()
    return BodySizes(scale, thigh, shin, upper, fore, shoulder, hip)


def build(action: str, seed: int) -> ScriptedPerformer:
    rng = np.random.default_rng([seed, len(action)])
    sizes = motion.draw_body(action, rng) if action == "crawling_baby" else draw_sizes(rng)
    performer = (
        motion.build_bystander(rng, sizes) if action == "bystander" else motion.build_performer(action, rng, sizes)
    )
    assert isinstance(performer, ScriptedPerformer)
    return performer


@cache
def watch(action: str) -> NDArray[np.str_]:
    """States of ten performers for 11 s: (performers, frames, parts)."""
    rows = []
    for seed in range(NUM_PERFORMERS):
        performer = build(action, seed)
        moments = (performer.at(frame / FRAME_RATE) for frame in range(NUM_FRAMES))
        rows.append([[moment.states[part] for part in PARTS] for moment in moments])
    return np.array(rows)


def commonest_accuracy(said: NDArray[np.str_], group: str) -> float:
    """Share of the parts of a group that the action's commonest state names rightly."""
    values = said[..., [PARTS.index(part) for part in GROUP_PARTS[group]]].ravel()
    return Counter(values.tolist()).most_common(1)[0][1] / len(values)


def ceiling(said: NDArray[np.str_], group: str, segments: tuple[tuple[int, int], ...]) -> float:
    """Accuracy of the best label (a pair for paired groups) per performer and segment."""
    values = said[..., [PARTS.index(part) for part in GROUP_PARTS[group]]]
    right = 0
    for rows in values:
        for start, end in segments:
            labels = [tuple(row) for row in rows[start:end].tolist()]
            best = Counter(labels).most_common(1)[0][0]
            right += sum(a == b for label in labels for a, b in zip(label, best, strict=True))
    return right / values.size


def targets(moment: Moment) -> NDArray[np.float64]:
    pose = moment.pose
    return np.stack([pose.pelvis, *(pose.hands[side] for side in SIDES), *(pose.feet[side] for side in SIDES)])


def as_text(table: NDArray[np.float64], names: tuple[str, ...]) -> str:
    """A row per action, a cell per group: (actions, groups, len(names)) as text."""
    lines = ["\n" + " " * 22 + "  ".join(f"{group:>11s}" for group in GROUPS) + f"   ({' / '.join(names)}, %)"]
    for action, row in zip([*motion.ACTIONS, "mean"], [*table, table.mean(axis=0)], strict=True):
        cells = ("/".join(f"{100 * value:.0f}" for value in cell) for cell in row)
        lines.append(f"{action:22s}" + "  ".join(f"{cell:>11s}" for cell in cells))
    return "\n".join(lines) + "\n"


IN_THE_AIR = {"pull_ups", "cycling", "riding_mechanical_bull", "surfing_crowd"}
EVERYONE = [*motion.ACTIONS, *motion.OTHER_MOTIONS, "bystander"]


def test_the_actions_are_those_of_kinetics_tps() -> None:
    assert len(motion.ACTIONS) == 24
    assert set(motion.ACTIONS) - set(motion.ACTIONS_V1) == {
        *("crawling_baby", "skateboarding", "tobogganing", "riding_mechanical_bull", "surfing_crowd", "hurling_(sport)")
    }
    assert set(motion.ACTIONS_V1) == {
        *("deadlifting", "clean_and_jerk", "snatch_weight_lifting", "front_raises", "lunge", "push_up", "pull_ups"),
        *("punching_bag", "hitting_baseball", "belly_dancing", "salsa_dancing", "country_line_dancing", "capoeira"),
        *("skipping_rope", "hopscotch", "juggling_balls", "throwing_discus", "hammer_throw"),
    }


@pytest.mark.parametrize("action", EVERYONE)
def test_states_are_the_vocabulary_s(action: str) -> None:
    assert set(np.unique(watch(action)).tolist()) <= set(STATES)


@pytest.mark.parametrize("action", EVERYONE)
def test_nothing_teleports(action: str) -> None:
    step = 0.02
    for seed in range(4):
        performer = build(action, seed)
        places = np.stack([targets(performer.at(t)) for t in np.arange(0.0, 13.0, step)])
        speeds = np.linalg.norm(np.diff(places, axis=0), axis=2) / step
        assert speeds.max() < 9.0, f"seed {seed}: {speeds.max():.1f} m/s at {step * speeds.max(axis=1).argmax():.2f} s"


@pytest.mark.parametrize("action", EVERYONE)
def test_continuous_where_the_script_starts_again(action: str) -> None:
    performer = build(action, 1)
    script_seconds = performer._starts[-1]
    around = script_seconds - performer._start_seconds + np.array([-1e-4, 1e-4])
    before, after = (targets(performer.at(float(t))) for t in around)
    assert np.abs(before - after).max() < 0.01


@pytest.mark.parametrize("action", EVERYONE)
def test_targets_are_within_reach(action: str) -> None:
    for seed in range(3):
        performer = build(action, seed)
        sizes = performer.sizes
        for time in np.arange(0.0, 11.0, 0.25):
            pose = performer.at(float(time)).pose
            pelvis_turn, chest_turn, chest = trunk(pose, sizes)
            for side in SIDES:
                sign = SIDE_SIGN[side]
                shoulder = chest + chest_turn @ [sign * sizes.shoulder_half_width, 0.12 * sizes.scale, 0.0]
                hip = pose.pelvis + pelvis_turn @ [sign * sizes.hip_half_width, -0.02 * sizes.scale, 0.0]
                arm, leg = sizes.upper_arm + sizes.forearm, sizes.thigh + sizes.shin
                assert np.linalg.norm(pose.hands[side] - shoulder) <= MAX_REACH * arm + 1e-6
                assert np.linalg.norm(pose.feet[side] - hip) <= MAX_REACH * leg + 1e-6
                assert np.isfinite(pose.hand_directions[side]).all()


@pytest.mark.parametrize("action", [name for name in EVERYONE if name not in IN_THE_AIR])
def test_feet_stay_over_the_floor_and_mostly_on_it(action: str) -> None:
    lowest = []
    for seed in range(4):
        performer = build(action, seed)
        for time in np.arange(0.0, 11.0, 0.2):
            feet = performer.at(float(time)).pose.feet
            lowest.append(min(float(feet[side][1]) for side in SIDES) / performer.sizes.scale)
    assert min(lowest) > ANKLE - 0.05
    assert np.mean(np.array(lowest) < ANKLE + 0.12) > 0.5


def test_standing_feet_are_at_the_ankle_s_height() -> None:
    key = standing()
    assert key.read("left_foot")[1] == key.read("right_foot")[1] == ANKLE


@pytest.mark.parametrize("action", EVERYONE)
def test_a_pure_function_of_seed_and_time(action: str) -> None:
    first, second = build(action, 5), build(action, 5)
    forward = [first.at(t) for t in (0.0, 3.3, 7.1)]
    backward = [second.at(t) for t in (7.1, 3.3, 0.0)][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert np.array_equal(targets(one), targets(other))
        assert one.states == other.states
        for left, right in zip(one.props, other.props, strict=True):
            assert np.array_equal(left.path, right.path)


def test_performers_differ() -> None:
    first, second = build("lunge", 1), build("lunge", 2)
    assert not np.allclose(targets(first.at(2.0)), targets(second.at(2.0)))


@pytest.mark.parametrize("action", EVERYONE)
def test_props_and_looks_are_drawable(action: str) -> None:
    performer = build(action, 3)
    assert set(performer.look) <= set(motion.LOOKS)
    for time in np.arange(0.0, 11.0, 0.5):
        for prop in performer.at(float(time)).props:
            assert prop.path.shape == (len(prop.radii), 3)
            assert np.isfinite(prop.path).all()
            assert (prop.radii > 0).all()
            assert np.abs(prop.path).max() < 6.0


def test_other_motions_are_no_actions() -> None:
    assert len(motion.OTHER_MOTIONS) >= 8
    assert set(motion.OTHER_MOTIONS).isdisjoint(motion.ACTIONS)


@pytest.mark.parametrize("action", [*motion.ACTIONS, *motion.OTHER_MOTIONS])
def test_scene_hints(action: str) -> None:
    hints = motion.scene_hints(action)
    assert set(hints.places) <= set(PLACES)
    assert set(hints.bystanders) <= {*BYSTANDERS, *motion.OTHER_MOTIONS}
    assert hints.max_group >= 1
    assert 0 <= hints.group_share < 1


def test_unknown_action_is_an_error_of_use() -> None:
    with pytest.raises(ConfigError, match=r"action must be one of deadlifting, .*, got 'yoga'"):
        motion.build_performer("yoga", np.random.default_rng(0), draw_sizes(np.random.default_rng(0)))


def joints_of(moments: list[Moment], sizes: BodySizes) -> dict[str, NDArray[np.float64]]:
    """Where each keypoint of a performer is, (T, 3) metres."""
    points = np.stack([solve(moment.pose, sizes).keypoints(sizes.scale) for moment in moments])  # (T, 17, 3)
    return {name: points[:, index] for index, name in enumerate(KEYPOINTS)}


def angle_degrees(places: dict[str, NDArray[np.float64]], *names: str) -> NDArray[np.float64]:
    """The angle at the second of three joints, (T,)."""
    first, middle, last = (places[name] for name in names)
    one, two = first - middle, last - middle
    cosine = (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_deadlifters_stand_up_with_straight_elbows_and_knees() -> None:
    for seed in range(3):
        performer = build("deadlifting", seed)
        moments = [performer.at(float(time)) for time in np.arange(0.0, 20.0, 0.1)]
        places = joints_of(moments, performer.sizes)
        stands = [moment.states["left_arm"] == "carry" and moment.states["hip"] == "none" for moment in moments]
        trunk_up = (places["left_shoulder"] + places["right_shoulder"] - places["left_hip"] - places["right_hip"]) / 2
        lean = np.degrees(np.arccos(trunk_up[:, 1] / np.linalg.norm(trunk_up, axis=1)))
        elbow = angle_degrees(places, "left_shoulder", "left_elbow", "left_wrist")
        knee = angle_degrees(places, "left_hip", "left_knee", "left_ankle")
        assert np.percentile(elbow[stands], 75) == pytest.approx(175, abs=3)
        assert np.percentile(knee[stands], 75) == pytest.approx(175, abs=3)
        assert np.percentile(lean, 95) > 58


@pytest.mark.parametrize(
    ("action", "begins", "seconds"),
    [
        pytest.param("push_up", ("go down",), 3.4, id="push-ups"),
        pytest.param("pull_ups", ("pull up",), 3.1, id="pull-ups"),
        pytest.param("lunge", ("step into the lunge and stay",), 3.6, id="lunges"),
        pytest.param("deadlifting", ("pull the bar up",), 4.8, id="deadlifts"),
    ],
)
def test_a_repetition_takes_as_long_as_real_ones(action: str, begins: tuple[str, ...], seconds: float) -> None:
    periods = []
    for seed in range(60):
        phases = motion.build_routine(action, np.random.default_rng(seed)).phases
        starts = np.cumsum([0.0, *(phase.seconds for phase in phases)])
        first = [float(start) for start, phase in zip(starts, phases, strict=False) if phase.name in begins]
        if len(first) > 1:
            periods.append(float(np.diff(first).min()))
    assert np.median(periods) == pytest.approx(seconds, rel=0.15)
    assert np.percentile(periods, 95) > 1.8 * np.percentile(periods, 5)


@pytest.mark.parametrize("action", ["push_up", "pull_ups"])
def test_arms_bend_and_unbend_in_each_repetition(action: str) -> None:
    phases = motion.build_routine(action, np.random.default_rng(4)).phases
    words = [
        phase.states["left_arm"] for phase in phases if phase.name in ("go down", "press up", "pull up", "let down")
    ]
    assert words[:4] == ["bend", "unbend"] * 2 or len(words) == 2
    assert "lift" not in words


@pytest.mark.parametrize("action", ["deadlifting", "clean_and_jerk", "snatch_weight_lifting"])
def test_hands_do_not_hold_the_bar_before_they_reach_it(action: str) -> None:
    for seed in range(4):
        performer = build(action, seed)
        lows, before = [], "none"
        for time in np.arange(0.0, 30.0, 0.05):
            moment = performer.at(float(time))
            now = moment.states["left_hand"]
            stooped = moment.states["hip"] == "stoop"
            if stooped and before == "none" and now == "grab":
                bar = np.asarray(moment.props[0].path)[:, 1].mean()
                lows.append(float(moment.pose.hands["left"][1]) - float(bar))
            before = now
        assert all(low < 0.2 for low in lows), f"seed {seed}: {max(lows):.2f} m over the bar"


@pytest.mark.parametrize("action", motion.ACTIONS)
def test_the_action_does_not_tell_the_arms_and_time_matters(action: str) -> None:
    said = watch(action)
    assert commonest_accuracy(said, "arm") < 0.8
    assert ceiling(said, "arm", SEGMENTS_3_S) > ceiling(said, "arm", SEGMENT_ALL) + 0.04


def test_how_much_states_can_be_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("commonest", "3 s", "10 s")
    table = np.array(
        [
            [
                [commonest_accuracy(watch(a), g), ceiling(watch(a), g, SEGMENTS_3_S), ceiling(watch(a), g, SEGMENT_ALL)]
                for g in GROUPS
            ]
            for a in motion.ACTIONS
        ]
    )  # (actions, groups, 3)
    with capsys.disabled():
        sys.stdout.write(as_text(table, names))
    common, short, long = (dict(zip(GROUPS, table[..., i].mean(axis=0), strict=True)) for i in range(3))
    assert 0.40 <= common["arm"] <= 0.60
    assert 0.50 <= common["hand"] <= 0.73
    assert 0.42 <= common["leg"] <= 0.65
    assert 0.55 <= common["foot"] <= 0.80
    assert 0.85 <= common["head"] <= 0.98
    assert 0.72 <= common["hip"] <= 0.92
    assert short["arm"] >= 0.81
    assert short["arm"] - long["arm"] >= 0.10


def test_left_and_right_differ_in_a_quarter_of_the_frames() -> None:
    said = np.stack([watch(action) for action in motion.ACTIONS])  # (actions, performers, frames, parts)
    differ = np.zeros(said.shape[:-1], dtype=bool)
    for group in ("arm", "hand", "leg", "foot"):
        left, right = (PARTS.index(part) for part in GROUP_PARTS[group])
        differ |= said[..., left] != said[..., right]
    assert differ.mean() > 0.25
    assert (differ.mean(axis=(1, 2)) > 0.4).sum() >= 6  # actions with long one-sided phases
