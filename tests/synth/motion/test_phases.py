"""Keys, phases and the performer that plays them, on cases worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actparse.core.errors import ConfigError
from actparse.synth.motion.figure import BodySizes
from actparse.synth.motion.keys import NOTHING, bump, ease, half_bump, mix, standing
from actparse.synth.motion.phases import (
    Phase,
    Routine,
    ScriptedPerformer,
    loop_phases,
    mirrored_states,
    onset_seconds,
    state_spans,
    states,
)
from actparse.synth.motion.reach import elbow_place, key_to_pose, rotation, within_reach

SIZES = BodySizes(1.0, 0.43, 0.42, 0.29, 0.26, 0.18, 0.095)
STANDING = Phase(name="stand", seconds=2.0, goal=standing(), states=states())
WAVING = Phase(
    name="wave",
    seconds=3.0,
    goal=standing().on("left", "hand", 0.3, 1.6, 0.1),
    states=states(arm=("lift", "unbend")),
    move=1.0,
)


def play(*phases: Phase, start_seconds: float = 0.0) -> ScriptedPerformer:
    return ScriptedPerformer(Routine(phases), SIZES, start_seconds=start_seconds)


def test_mirrored_key_changes_sides_and_signs() -> None:
    key = NOTHING.put("left_hand", 0.3, 1.6, 0.1).put("spine_rotation", 0.1, 0.2, 0.3).put("heading", 0.5)
    mirrored = key.put("left_grip", 1.0).mirrored()
    assert mirrored.read("right_hand").tolist() == [-0.3, 1.6, 0.1]
    assert mirrored.read("left_hand").tolist() == [0.0, 0.0, 0.0]
    assert mirrored.read("spine_rotation").tolist() == [0.1, -0.2, -0.3]
    assert mirrored.read("heading").tolist() == [-0.5]
    assert mirrored.read("right_grip").tolist() == [1.0]


def test_mirrored_twice_is_the_same() -> None:
    key = NOTHING.plus(standing()).put("travel", 0.4, 0.0, 1.0).put("prop", 0.1, 0.2, 0.3)
    assert np.array_equal(key.mirrored().mirrored().values, key.values)


def test_states_name_both_sides() -> None:
    said = states(arm=("lift", "bend"), foot="tiptoe")
    assert (said["left_arm"], said["right_arm"], said["right_foot"], said["hip"]) == ("lift", "bend", "tiptoe", "none")
    assert mirrored_states(said)["right_arm"] == "lift"
    assert mirrored_states(mirrored_states(said)) == said


@pytest.mark.parametrize(("x", "y"), [(-1.0, 0.0), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (2.0, 1.0)])
def test_ease(x: float, y: float) -> None:
    assert ease(x) == y


def test_bumps() -> None:
    assert [round(bump(x), 9) for x in (0.0, 0.5, 1.0)] == [0.0, 1.0, 0.0]
    assert [round(half_bump(x), 9) for x in (0.0, 0.25, 0.5, 0.75)] == [0.0, 1.0, 0.0, 0.0]


def test_a_state_changes_in_the_middle_of_the_move() -> None:
    performer = play(STANDING, WAVING)
    assert performer.at(2.49).states["left_arm"] == "unbend"
    assert performer.at(2.51).states["left_arm"] == "lift"
    low, middle, high = (performer.at(t).pose.hands["left"][1] for t in (2.0, 2.5, 3.0))
    assert middle == pytest.approx((low + high) / 2, abs=0.01)
    assert performer.at(4.9).pose.hands["left"][1] == pytest.approx(high)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        pytest.param("none", "hold", 0.8, id="held once the hand is there"),
        pytest.param("grab", "none", 0.33, id="let go as the hand leaves"),
        pytest.param("grab", "hold", 0.3, id="one touch into another: with the new rhythm"),
        pytest.param("none", "applaud", 0.3, id="a motion starts with its rhythm"),
        pytest.param("none", "others", 0.5, id="a pose: the middle of the move"),
        pytest.param("hold", "hold", 0.0, id="no change"),
    ],
)
def test_onset_of_a_hand_s_state(before: str, after: str, seconds: float) -> None:
    first, second = replace(STANDING, states=states(hand=before)), replace(WAVING, states=states(hand=after))
    assert onset_seconds(second, first, "left_hand") == pytest.approx(seconds)
    quick = replace(second, move=0.1)
    assert onset_seconds(quick, first, "left_hand") < 0.1


def test_spans_last_as_long_as_the_labels_do() -> None:
    phases = (STANDING, replace(WAVING, states=states(arm=("lift", "unbend"), hand=("hold", "none"))))
    performer = play(*phases)
    spans = list(state_spans(phases))
    assert sum(seconds for _, seconds in spans) == pytest.approx(5.0)
    times = np.arange(0.005, 5.0, 0.01)
    for part, state in (("left_arm", "lift"), ("left_hand", "hold"), ("right_arm", "unbend")):
        counted = sum(seconds for said, seconds in spans if said[part] == state)
        assert counted == pytest.approx(0.01 * sum(performer.at(t).states[part] == state for t in times), abs=0.02)


def test_the_script_repeats_and_starts_where_told() -> None:
    performer = play(STANDING, WAVING, start_seconds=3.0)
    assert performer.at(0.0).states["left_arm"] == "lift"
    assert performer.at(2.5).states["left_arm"] == "unbend"  # 0.5 s into the phase, of a move of 0.7 s
    assert np.allclose(performer.at(0.5).pose.hands["left"], performer.at(5.5).pose.hands["left"])


def test_a_whole_turn_does_not_unwind_when_the_script_repeats() -> None:
    turned = replace(STANDING, goal=standing().put("heading", 2 * np.pi))
    performer = play(STANDING, turned)
    yaws = [performer.at(t).pose.pelvis_rotation[1] for t in (4.0, 4.2, 5.0)]
    assert yaws == pytest.approx([0.0, 0.0, 0.0])


def test_phase_without_all_parts_is_an_error() -> None:
    with pytest.raises(ConfigError, match="states must name the ten parts"):
        Phase(name="stand", seconds=1.0, goal=standing(), states={"head": "none"})


def test_phase_without_length_is_an_error() -> None:
    with pytest.raises(ConfigError, match="seconds must be greater than 0, got 0"):
        Phase(name="stand", seconds=0.0, goal=standing(), states=states())


def test_routine_without_phases_is_an_error() -> None:
    with pytest.raises(ConfigError, match="at least one phase"):
        ScriptedPerformer(Routine(()), SIZES)


def test_loop_phases_last_long_enough() -> None:
    assert len(loop_phases(lambda index: [STANDING], min_seconds=7.0)) == 4


def test_rotation_of_a_forward_lean_and_a_left_turn() -> None:
    assert np.allclose(rotation(np.pi / 2, 0.0, 0.0) @ [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    assert np.allclose(rotation(0.0, np.pi / 2, 0.0) @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])


def test_within_reach_keeps_near_targets_and_pulls_far_ones_in() -> None:
    root = np.zeros(3)
    assert within_reach(root, np.array([0.3, 0.0, 0.0]), 0.5).tolist() == [0.3, 0.0, 0.0]
    assert np.allclose(within_reach(root, np.array([2.0, 0.0, 0.0]), 0.5), [0.49975, 0.0, 0.0])


def test_elbow_is_at_the_bones_lengths_on_the_pole_s_side() -> None:
    elbow = elbow_place(np.zeros(3), np.array([0.4, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]), 0.3, 0.25)
    assert np.linalg.norm(elbow) == pytest.approx(0.3)
    assert np.linalg.norm(elbow - [0.4, 0.0, 0.0]) == pytest.approx(0.25)
    assert elbow[1] < 0


def test_a_turned_and_moved_key_moves_everything() -> None:
    key = standing().put("heading", np.pi / 2).put("travel", 1.0, 0.0, 0.0)
    pose, _ = key_to_pose(key, SIZES)
    still, _ = key_to_pose(standing(), SIZES)
    assert pose.pelvis.tolist() == pytest.approx([1.0, still.pelvis[1], 0.0])
    assert pose.feet["left"] == pytest.approx([1.0, still.feet["left"][1], -still.feet["left"][0]])
    assert pose.pelvis_rotation[1] == pytest.approx(np.pi / 2)


def test_mix_is_linear() -> None:
    assert mix(NOTHING, NOTHING.put("prop", 2.0, 0.0, 0.0), 0.25).read("prop")[0] == 0.5
