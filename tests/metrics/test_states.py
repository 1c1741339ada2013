from __future__ import annotations

import math

from actparse.metrics.states import StateAccuracy, commonest_states, shared_states


def test_accuracy_joins_both_sides_of_a_group() -> None:
    accuracy = StateAccuracy()
    for part, true, predicted in [("left_arm", "bend", "bend"), ("right_arm", "bend", "lift"), ("hip", "turn", None)]:
        accuracy.add(part, true, predicted)
    figures = accuracy.by_group()
    assert figures["arm"] == 50.0
    assert figures["hip"] == 0.0
    assert math.isnan(figures["head"])


def test_the_commonest_state_of_each_action_and_part() -> None:
    rows = [("lunge", "hip", "turn"), ("lunge", "hip", "none"), ("lunge", "hip", "none"), ("push_up", "hip", "turn")]
    assert commonest_states(rows) == {"lunge": {"hip": "none"}, "push_up": {"hip": "turn"}}
    assert commonest_states([("a", "hip", "z"), ("a", "hip", "b")]) == {"a": {"hip": "b"}}
    assert commonest_states([]) == {}


def test_shared_states_are_the_majority_of_a_segment() -> None:
    rows = [(0, "head", "none"), (0, "head", "turn"), (0, "head", "turn"), (1, "head", "none")]
    assert shared_states(rows) == {0: {"head": "turn"}, 1: {"head": "none"}}
