"""Evidence for an action from an object that belongs to it and is seen at a person: a skateboard, a baseball bat.

Networks on keypoints do not see things. How certain the detector is of an object in at least a fifth of the frames adds
to the log odds of the action. The values below were chosen on 25 real clips, two of them with skateboards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from actparse.core.structures import FrameParse

FRAME_QUANTILE = 0.8  # of an object's scores over the frames: a fifth of them are above it
SCORE_RANGE = (0.4, 0.6)  # of this quantile, from no evidence to all of it
MAX_LOG_ODDS = 4.0  # an action with its object becomes up to 55 times as likely
REACH = 0.25  # of a person's longer side, by which the box is enlarged: an object at a person overlaps this box


@dataclass(frozen=True)
class ObjectEvidence:
    """What one object says about one action."""

    name: str
    action: str
    share: float  # of the frames that show the object at a person, 0..1
    log_odds: float  # 0..MAX_LOG_ODDS

    def sentence(self) -> str:
        """Say how often the object is seen."""
        article = "An" if self.name[0] in "aeiou" else "A"
        return f"{article} {self.name.replace('_', ' ')} is at a person in {100 * self.share:.0f} % of the frames."


def object_evidence(frames: Sequence[FrameParse], action_of_object: Mapping[str, str]) -> list[ObjectEvidence]:
    """Weigh the objects of a video.

    Args:
        frames: with persons and objects, pixels.
        action_of_object: name of an object -> action.

    Returns:
        An entry for each object with any evidence, strongest first.
    """
    found = []
    for name, action in action_of_object.items():
        scores = np.array([_score_at_persons(frame, name) for frame in frames])  # (T,)
        low, high = SCORE_RANGE
        strength = (float(np.quantile(scores, FRAME_QUANTILE)) - low) / (high - low) if len(scores) else 0.0
        if strength > 0:
            share = float((scores > 0).mean())
            found.append(ObjectEvidence(name, action, share, MAX_LOG_ODDS * min(strength, 1.0)))
    return sorted(found, key=lambda evidence: -evidence.log_odds)


def with_object_evidence(scores: Mapping[str, float], evidence: Sequence[ObjectEvidence]) -> dict[str, float]:
    """Add the evidence to the log odds of its actions; unknown actions are left out.

    Args:
        scores: action -> 0..1, with the sum 1.
        evidence: from `object_evidence`.
    """
    weighted = dict(scores)
    for item in evidence:
        if item.action in weighted:
            weighted[item.action] *= math.exp(item.log_odds)
    total = sum(weighted.values())
    if not evidence or total <= 0:
        return dict(scores)
    return {action: score / total for action, score in weighted.items()}


def _score_at_persons(frame: FrameParse, name: str) -> float:
    """Return the greatest score of an object that overlaps a person's enlarged box; 0 without one."""
    boxes = np.array([person.box for person in frame.persons], np.float64).reshape(-1, 4)
    reach = REACH * (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)  # (n, 1)
    starts, ends = boxes[:, :2] - reach, boxes[:, 2:] + reach
    objects = [item for item in frame.objects if item.name == name]
    overlaps = [((starts < item.box[2:]) & (ends > item.box[:2])).all(axis=1).any() for item in objects]
    return max((item.score for item, is_near in zip(objects, overlaps, strict=True) if is_near), default=0.0)
