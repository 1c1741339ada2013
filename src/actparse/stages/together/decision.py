"""Stage 3: the action of a video, or of the last seconds of a live source, and whether it is asserted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from actparse.core.structures import Verdict
from actparse.metrics.calibration import Calibration, with_temperature
from actparse.stages.together.object_evidence import ObjectEvidence, with_object_evidence


@dataclass(frozen=True)
class ActionEvidence:
    """Probabilities of each action, 0..1, before the evidence of objects and the calibration are applied."""

    scores: Mapping[str, float]
    track_scores: Mapping[str, float]  # only from the persons' tracks; empty if tracks are not used
    half_track_scores: Sequence[Mapping[str, float]] = ()  # of each half that shows anybody


@dataclass(frozen=True)
class Decision:
    """The likeliest action, and whether it is asserted."""

    action: str
    scores: dict[str, float]  # action -> 0..1, calibrated
    verdict: Verdict
    uncalibrated_scores: dict[str, float]  # on which states depend, as in training


def decide_action(
    evidence: ActionEvidence, objects: Sequence[ObjectEvidence], calibration: Calibration, *, has_persons: bool
) -> Decision:
    """Choose the likeliest action and decide whether it is asserted.

    Args:
        evidence: from the networks; at least one action.
        objects: from `object_evidence`.
        calibration: of the bundle.
        has_persons: whether any person was detected.

    Returns:
        The action with the greatest score before calibration, and its calibrated scores and verdict.
    """
    scores = with_object_evidence(evidence.scores, objects)
    action = max(scores, key=lambda name: scores[name])
    share = 1.0
    if evidence.track_scores:
        whole, *halves = (
            with_object_evidence(part, objects).get(action, 0.0)
            for part in (evidence.track_scores, *evidence.half_track_scores)
        )
        share = weaker_share(whole, halves)
    calibrated = calibrated_scores(scores, calibration, share=share)
    verdict = decide_verdict(calibrated[action], calibration, has_persons=has_persons)
    return Decision(action, calibrated, verdict, scores)


def weaker_share(score: float, half_scores: Sequence[float]) -> float:
    """Return the share of an action's score that the weaker half of the video reaches, 0..1.

    Args:
        score: of the action in the whole video.
        half_scores: of the action in each half; empty if there are no halves, and then the share is 1.
    """
    return min((1.0, *(half / score for half in half_scores))) if score > 0 else 1.0


def calibrated_scores(scores: Mapping[str, float], calibration: Calibration, *, share: float = 1.0) -> dict[str, float]:
    """Apply a calibration to the probabilities of each action, 0..1.

    If only one half of the video shows the best action, all probabilities are lower: their sum is the probability that
    the video shows any of the actions.

    Args:
        scores: action -> 0..1.
        calibration: with the temperature, and the exponent of the share.
        share: see `weaker_share`.
    """
    factor = share**calibration.consistency
    if calibration.temperature == 1 and factor == 1:
        return dict(scores)
    values = factor * with_temperature(np.array(list(scores.values()), np.float64), calibration.temperature)
    return dict(zip(scores, map(float, values), strict=True))


def decide_verdict(score: float, calibration: Calibration, *, has_persons: bool) -> Verdict:
    """Decide whether an action is asserted.

    Args:
        score: of the best action, calibrated, 0..1.
        calibration: with the threshold.
        has_persons: whether any person was detected.
    """
    if not has_persons:
        return "nobody"
    return "known" if score >= calibration.min_probability else "unknown"
