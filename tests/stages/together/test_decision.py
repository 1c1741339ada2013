"""Stage 3 chooses the likeliest action by the networks, the objects and the calibration."""

import pytest

from actparse.metrics.calibration import Calibration
from actparse.stages.together.decision import (
    ActionEvidence,
    calibrated_scores,
    decide_action,
    decide_verdict,
    weaker_share,
)
from actparse.stages.together.object_evidence import ObjectEvidence

SCORES = {"lunge": 0.8, "push_up": 0.2}


def test_the_likeliest_action_is_chosen_before_the_halves_lower_its_score() -> None:
    evidence = ActionEvidence(SCORES, SCORES, [{"lunge": 0.9, "push_up": 0.1}, {"lunge": 0.2, "push_up": 0.8}])
    decision = decide_action(evidence, [], Calibration(consistency=0.5, min_probability=0.5), has_persons=True)
    assert (decision.action, decision.verdict) == ("lunge", "unknown")
    assert decision.scores == pytest.approx({"lunge": 0.4, "push_up": 0.1})
    assert decision.uncalibrated_scores == SCORES
    clips_only = decide_action(ActionEvidence(SCORES, {}), [], Calibration(consistency=0.5), has_persons=True)
    assert clips_only.scores == pytest.approx(SCORES)


def test_an_object_counts_in_the_whole_video_and_in_its_halves() -> None:
    ball = ObjectEvidence("ball", "push_up", share=1.0, log_odds=4.0)
    evidence = ActionEvidence(SCORES, SCORES, [SCORES, SCORES])
    decision = decide_action(evidence, [ball], Calibration(consistency=1.0), has_persons=True)
    assert (decision.action, decision.verdict) == ("push_up", "known")
    assert decision.scores == pytest.approx(decision.uncalibrated_scores)
    assert decision.scores["push_up"] > 0.9


def test_the_temperature_changes_scores_and_not_their_order() -> None:
    scores = {"lunge": 0.8, "push_up": 0.2}
    assert calibrated_scores(scores, Calibration()) == scores
    assert calibrated_scores(scores, Calibration(temperature=2.0)) == pytest.approx({"lunge": 2 / 3, "push_up": 1 / 3})


@pytest.mark.parametrize(
    ("halves", "share"),
    [([0.6, 0.2], 0.5), ([0.4, 0.4], 1.0), ([0.5], 1.0), ([], 1.0)],
    ids=["one half", "both", "better alone", "no halves"],
)
def test_the_share_of_the_weaker_half(halves: list[float], share: float) -> None:
    assert weaker_share(0.4, halves) == pytest.approx(share)
    assert weaker_share(0.0, halves) == 1.0


def test_an_action_of_one_half_is_less_probable() -> None:
    scores = {"lunge": 0.8, "push_up": 0.2}
    calibration = Calibration(consistency=0.5)
    assert calibrated_scores(scores, calibration, share=0.25) == pytest.approx({"lunge": 0.4, "push_up": 0.1})
    assert calibrated_scores(scores, calibration) == pytest.approx(scores)
    assert calibrated_scores(scores, Calibration(), share=0.25) == scores


def test_a_verdict_needs_persons_and_a_score() -> None:
    half = Calibration(min_probability=0.5)
    assert decide_verdict(0.5, half, has_persons=True) == "known"
    assert decide_verdict(0.49, half, has_persons=True) == "unknown"
    assert decide_verdict(0.01, Calibration(), has_persons=True) == "known"
    assert decide_verdict(0.99, half, has_persons=False) == "nobody"
