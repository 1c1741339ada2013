"""Stage 2 for each person: the action and every part's state, from the keypoints along the person's track.

The paper gives all persons of a segment one state of each part (`stages.actions`). Here each person of each sampled
frame has states of their own, and what all tracks say of the action joins what the clips say. This is no part of PCF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.errors import ConfigError
from actparse.nets.tracks import TrackNet
from actparse.stages.precision import inference
from actparse.stages.windows import person_windows
from actparse.structures import FrameParse, PartParse, PersonParse
from actparse.vocabulary import KEYPOINT_FLIP, PART_INDEX, SIDED_LIMBS

Box = tuple[float, float, float, float]
Keypoint = tuple[float, float, float]
PARTS_OF_LIMB = {
    "arm": (("left_arm", "right_arm"), ("left_hand", "right_hand")),
    "leg": (("left_leg", "right_leg"), ("left_foot", "right_foot")),
}


@dataclass(frozen=True, kw_only=True)
class TracksConfig:
    """How tracks are read."""

    step_seconds: float = 0.5  # from one instant of a window to the next
    evidence: float = 1.5  # looks at a person that are worth as much as a whole track: instants resemble each other
    action_share: float = 0.8  # of the video's action scores; the rest is what the clips say

    min_side_score: float = 0.5  # that left was taken for right, from which on they change places

    def __post_init__(self) -> None:
        for name in ("step_seconds", "evidence"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"tracks.{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("action_share", "min_side_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"tracks.{name} must be 0..1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Evidence:
    """What tracks say of the action: weighted sums of log probabilities (A,), over so many frames."""

    log_scores: NDArray[np.float64]
    num_frames: int

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.log_scores + other.log_scores, self.num_frames + other.num_frames)

    def scores(self, looks: float) -> NDArray[np.float32]:
        """Probabilities (A,), which sum to 1, if a track is worth so many `looks`; all alike without any evidence."""
        scaled = self.log_scores * (looks / max(self.num_frames, 1))
        powers = np.exp(scaled - scaled.max())
        return np.asarray(powers / powers.sum(), np.float32)


class TrackRecognizer:
    """A network on keypoints with its labels: sampled frames in, the action's evidence and each person's states out."""

    def __init__(
        self,
        net: TrackNet,
        actions: Sequence[str],
        states: Sequence[Sequence[str]],
        config: TracksConfig,
        *,
        max_batch: int = 512,
    ) -> None:
        """`states`: of each of the ten parts, in the order of the network's outputs."""
        self.net = net
        self.actions = tuple(actions)
        self.states = tuple(map(tuple, states))
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    @property
    def reach_seconds(self) -> float:
        """How far a window reaches before and after its middle."""
        return self.net.config.num_instants // 2 * self.config.step_seconds

    def evidence(self, frames: Sequence[FrameParse], *, first: int = 0) -> Evidence:
        """What the persons of `frames[first:]` say of the action; the frames before lend their part of the tracks."""
        total = np.zeros(len(self.actions))
        for rows, features in self._features(frames, first):
            log_scores = self.net.action_logits(features).float().log_softmax(dim=1).cpu().numpy()  # (n, A)
            weights = [_weight(frames[frame].persons[person]) for frame, person in rows]
            total += np.asarray(weights) @ log_scores
        return Evidence(total, len(frames) - first)

    def with_states(
        self, frames: Sequence[FrameParse], action_scores: NDArray[np.float32], *, first: int = 0
    ) -> list[FrameParse]:
        """`frames[first:]` with a state on every part of every person.

        Args:
            frames: sampled frames of one video, in the order of time, with track ids.
            action_scores: (A,) probabilities of what the video shows.
            first: the frames before lend their part of the tracks.
        """
        told = torch.from_numpy(np.asarray(action_scores, np.float32)).to(self.device)  # (A,)
        persons = [list(frame.persons) for frame in frames]
        for rows, features in self._features(frames, first):
            logits = self.net.state_logits(features, told.expand(len(features), -1))
            scores = [part.float().softmax(dim=1).cpu().numpy() for part in logits]  # ten times (n, S)
            for row, (frame, person) in enumerate(rows):
                persons[frame][person] = self._named(persons[frame][person], [part[row] for part in scores])
        return [replace(frames[n], persons=tuple(persons[n])) for n in range(first, len(frames))]

    def with_sides(self, frames: Sequence[FrameParse], *, first: int = 0) -> list[FrameParse]:
        """`frames[first:]` with left and right put right where the rest of the track tells that they were mixed up.

        The keypoints of the arms or legs change places, and with them the boxes of the parts that follow them.
        """
        persons = [list(frame.persons) for frame in frames]
        for rows, features in self._features(frames, first):
            wrong = (
                self.net.side_logits(features).float().sigmoid().cpu().numpy() > self.config.min_side_score
            )  # (n, 2)
            for (frame, person), of_limbs in zip(rows, wrong.tolist(), strict=True):
                for limb, is_wrong in zip(SIDED_LIMBS, of_limbs, strict=True):
                    if is_wrong:
                        persons[frame][person] = sides_exchanged(persons[frame][person], limb)
        return [replace(frames[n], persons=tuple(persons[n])) for n in range(first, len(frames))]

    def _named(self, person: PersonParse, scores: list[NDArray[np.float32]]) -> PersonParse:
        return replace(
            person, parts=tuple(self._with_state(part, scores[PART_INDEX[part.name]]) for part in person.parts)
        )

    def _with_state(self, part: PartParse, scores: NDArray[np.float32]) -> PartParse:
        best = int(scores.argmax())
        return replace(part, state=self.states[PART_INDEX[part.name]][best], state_score=float(scores[best]))

    def _features(
        self, frames: Sequence[FrameParse], first: int
    ) -> Iterator[tuple[list[tuple[int, int]], torch.Tensor]]:
        """(frame, person) of the persons of `frames[first:]` in batches, with their features (n, C)."""
        rows, windows = person_windows(
            frames,
            first=first,
            num_instants=self.net.config.num_instants,
            step_seconds=self.config.step_seconds,
        )
        for start in range(0, len(rows), self.max_batch):
            batch = torch.from_numpy(windows[start : start + self.max_batch]).to(self.device)
            with inference(self.device, full_precision=True):
                yield rows[start : start + self.max_batch], self.net.features(batch)


class FollowedTracks:
    """Tracks as their frames come in: states rest on what was seen so far, and little of it is kept."""

    def __init__(self, recognizer: TrackRecognizer) -> None:
        self._recognizer = recognizer
        self._recent: list[FrameParse] = []  # as far back as windows reach
        self._evidence = Evidence(np.zeros(len(recognizer.actions)), 0)

    def with_states(self, frames: Sequence[FrameParse]) -> list[FrameParse]:
        """The next frames of the video, with a state on every part of every person."""
        if not frames:
            return []
        recognizer, first = self._recognizer, len(self._recent)
        known = [*self._recent, *recognizer.with_sides([*self._recent, *frames], first=first)]
        self._evidence += recognizer.evidence(known, first=first)
        oldest = known[-1].time_seconds - recognizer.reach_seconds
        self._recent = [frame for frame in known if frame.time_seconds >= oldest]
        return recognizer.with_states(known, self._evidence.scores(recognizer.config.evidence), first=first)


def sides_exchanged(person: PersonParse, limb: str) -> PersonParse:
    """A person whose left and right keypoints of a limb change places; boxes go along where they followed them.

    Args:
        person: with or without parts.
        limb: of vocabulary.SIDED_LIMBS; arms take the hands along, legs the feet.
    """
    keypoints = list(person.keypoints)
    for number in SIDED_LIMBS[limb]:
        keypoints[number] = person.keypoints[KEYPOINT_FLIP[number]]
    parts = list(person.parts)
    for left, right in PARTS_OF_LIMB[limb]:
        one, other = person.part(left), person.part(right)
        if one is not None and other is not None and _follow(one.box, other.box, person.keypoints, limb):
            parts[parts.index(one)] = replace(other, name=left)
            parts[parts.index(other)] = replace(one, name=right)
    return replace(person, keypoints=tuple(keypoints), parts=tuple(parts))


def _follow(left: Box, right: Box, keypoints: Sequence[Keypoint], limb: str) -> bool:
    """Whether a left and a right box lie where the keypoints of their sides do, rather than of the other."""
    middles = np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in (left, right)])  # (2, 2)
    limbs = np.array([keypoints[number][:2] for number in SIDED_LIMBS[limb]]).reshape(-1, 2, 2)  # joint, side, x and y
    joints = limbs[1:].mean(axis=0)  # (2, 2) elbow and wrist, or knee and ankle
    straight, crossed = (np.hypot(*(middles - sides).T).sum() for sides in (joints, joints[::-1]))
    return bool(straight < crossed)


def _weight(person: PersonParse) -> float:
    """How much a person's pose counts: the surer the box and the keypoints, the more."""
    return person.score * float(np.mean([confidence for _, _, confidence in person.keypoints]))
