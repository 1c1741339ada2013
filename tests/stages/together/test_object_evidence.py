"""Objects as evidence: who holds or rides them, in how many frames, and what that does to the scores."""

from __future__ import annotations

import math

import pytest

from actparse.core.structures import FrameParse, ObjectParse, PersonParse
from actparse.core.vocabulary import NUM_KEYPOINTS
from actparse.stages.together.explanation import explain
from actparse.stages.together.object_evidence import MAX_LOG_ODDS, ObjectEvidence, object_evidence, with_object_evidence

ACTIONS = {"skateboard": "skateboarding", "baseball_bat": "hitting_baseball"}
RIDER = PersonParse(1, (100.0, 100.0, 150.0, 200.0), 0.9, ((0.0, 0.0, 0.0),) * NUM_KEYPOINTS)
UNDER_FEET, FAR_AWAY = (95.0, 195.0, 160.0, 215.0), (300.0, 195.0, 360.0, 215.0)


def frames(scores: list[float], box: tuple[float, float, float, float] = UNDER_FEET) -> list[FrameParse]:
    boards = [(ObjectParse("skateboard", box, score),) if score else () for score in scores]
    return [FrameParse(index, index / 5, (RIDER,), objects) for index, objects in enumerate(boards)]


@pytest.mark.parametrize(
    ("scores", "log_odds"),
    [([0.7] * 10, MAX_LOG_ODDS), ([0.5] * 10, MAX_LOG_ODDS / 2), ([0.7] * 6 + [0.0] * 4, MAX_LOG_ODDS)],
    ids=["certain", "half", "lost for a while"],
)
def test_an_object_at_a_person_is_evidence(scores: list[float], log_odds: float) -> None:
    (found,) = object_evidence(frames(scores), ACTIONS)
    assert (found.name, found.action) == ("skateboard", "skateboarding")
    assert found.share == pytest.approx(sum(score > 0 for score in scores) / 10)
    assert found.log_odds == pytest.approx(log_odds)


@pytest.mark.parametrize(
    "parsed",
    [frames([0.9] * 10, FAR_AWAY), frames([0.38] * 10), frames([0.9] + [0.0] * 9), frames([0.0] * 10), []],
    ids=["nobody near", "unsure", "one frame", "none", "no frames"],
)
def test_no_evidence(parsed: list[FrameParse]) -> None:
    assert object_evidence(parsed, ACTIONS) == []
    assert object_evidence(frames([0.9] * 10), {}) == []


def test_evidence_adds_to_the_log_odds_of_its_action() -> None:
    scores = {"skateboarding": 0.1, "lunge": 0.6, "push_up": 0.3}
    weighted = with_object_evidence(scores, object_evidence(frames([0.5] * 5), ACTIONS))
    assert sum(weighted.values()) == pytest.approx(1.0)
    gain = math.log(weighted["skateboarding"] / weighted["lunge"]) - math.log(0.1 / 0.6)
    assert gain == pytest.approx(MAX_LOG_ODDS / 2)
    assert weighted["lunge"] / weighted["push_up"] == pytest.approx(2.0)
    bat = ObjectEvidence("baseball_bat", "hitting_baseball", 1.0, 4.0)
    assert with_object_evidence(scores, [bat]) == pytest.approx(scores)  # an action that these weights do not know
    assert with_object_evidence(scores, []) == scores


def test_the_explanation_names_the_object_of_its_action() -> None:
    (board,) = object_evidence(frames([0.7] * 3 + [0.0]), ACTIONS)
    sentence = "A skateboard is at a person in 75 % of the frames."
    assert explain("skateboarding", 0.9, (), 4.0, objects=[board]) == sentence
    unsure = explain("skateboarding", 0.4, (), 4.0, verdict="unknown", objects=[board])
    assert unsure == f"No known action (closest: skateboarding 40 %). {sentence}"
    assert explain("lunge", 0.9, (), 4.0, objects=[board]) == ""
