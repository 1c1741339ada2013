from __future__ import annotations

import pytest

from actparse.core.structures import Reason, Verdict
from actparse.stages.together.explanation import explain


def reason(part: str, state: str, weight: float, start: float = 0.0, end: float = 10.0, track: int = 1) -> Reason:
    return Reason(part, state, weight, start, end, track)


CARRY = (reason("left_arm", "carry", 0.7), reason("right_arm", "carry", 0.7))


@pytest.mark.parametrize(
    ("reasons", "score", "sentence"),
    [
        pytest.param(CARRY, 0.9, "Deadlifting: both arms carry throughout.", id="a pair"),
        pytest.param(
            (*CARRY, reason("hip", "stoop", 0.4, 2.1, 3.4), reason("head", "turn", -0.2)),
            0.9,
            "Deadlifting: both arms carry and the hips stoop (2.1-3.4 s); against it: the head turns.",
            id="times and an objection",
        ),
        pytest.param(
            (reason("left_arm", "lift", 0.9), reason("right_arm", "bend", 0.3), reason("hip", "none", 0.2)),
            0.9,
            "Deadlifting: the left arm is lifted and the hips keep still throughout.",
            id="one of a group",
        ),
        pytest.param(
            (reason("left_foot", "step_on", 0.5, 0, 4, 1), reason("right_foot", "step_on", 0.5, 3, 6, 2)),
            0.9,
            "Deadlifting: the left foot is on the ground (0.0-4.0 s).",
            id="sides of two persons are no pair",
        ),
        pytest.param(
            (reason("left_leg", "carry", 0.2), reason("right_leg", "carry", 0.2)),
            0.9,
            "Perhaps deadlifting, on thin evidence: both legs carry throughout.",
            id="little supports it",
        ),
        pytest.param(
            CARRY, 0.2, "Perhaps deadlifting, on thin evidence: both arms carry throughout.", id="a low score"
        ),
        pytest.param(
            (reason("left_hand", "do_up", -0.5),),
            0.9,
            "Nothing that the body parts do clearly supports deadlifting; against it: the left hand does up.",
            id="nothing for it",
        ),
        pytest.param((), 0.9, "", id="no reasons"),
    ],
)
def test_a_coach_would_say(reasons: tuple[Reason, ...], score: float, sentence: str) -> None:
    assert explain("deadlifting", score, reasons, 10.0) == sentence


@pytest.mark.parametrize(
    ("verdict", "reasons", "sentence"),
    [
        pytest.param(
            "unknown",
            (*CARRY, reason("head", "turn", -0.2)),
            "No known action (closest: deadlifting 31 %). "
            "Evidence for deadlifting: both arms carry throughout; against it: the head turns.",
            id="what supports the closest",
        ),
        pytest.param(
            "unknown",
            (reason("left_hand", "do_up", -0.5),),
            "No known action (closest: deadlifting 31 %). "
            "Nothing that the body parts do clearly supports deadlifting; against it: the left hand does up.",
            id="nothing for it",
        ),
        pytest.param("unknown", (), "No known action (closest: deadlifting 31 %).", id="no reasons"),
        pytest.param("nobody", (), "Nobody found.", id="nobody"),
        pytest.param("nobody", CARRY, "Nobody found.", id="nobody, whatever the clips say"),
    ],
)
def test_no_action_is_asserted(verdict: Verdict, reasons: tuple[Reason, ...], sentence: str) -> None:
    assert explain("deadlifting", 0.31, reasons, 10.0, verdict=verdict) == sentence


def test_three_are_named_at_most() -> None:
    many = [reason(part, "bend", 0.5) for part in ("head", "left_arm", "left_hand", "hip", "left_leg")]
    assert explain("push_up", 0.9, many, 10.0).count("bent") == 3


@pytest.mark.parametrize(
    ("state", "said"), [("carry", "carries"), ("push", "pushes"), ("play", "plays"), ("hold", "holds")], ids=str
)
def test_words_that_nobody_foresaw_are_verbs(state: str, said: str) -> None:
    assert f"the left hand {said}" in explain("lunge", 0.9, [reason("left_hand", state, 2.0)], 10.0)
