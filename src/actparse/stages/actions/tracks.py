"""Stage 2 for each person: the action and every part's state, from the keypoints along the person's track.

The paper assigns the same state of each part to all persons of a segment (`stages.actions.classifier`). Here each
person of each sampled frame has separate states, and the action scores of all tracks are combined with those of the
clips. This is not part of PCF.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from actparse.core.errors import ConfigError
from actparse.core.structures import FrameParse, PartParse, PersonParse
from actparse.core.vocabulary import PART_INDEX
from actparse.nets.tracks import TrackNet
from actparse.stages.actions.windows import person_windows, with_floor
from actparse.stages.precision import inference


@dataclass(frozen=True, kw_only=True)
class TracksConfig:
    """Settings for the network on tracks."""

    step_seconds: float = 0.5  # from one instant of a window to the next
    action_share: float = 0.8  # weight of the tracks in the video's action scores; the rest is that of the clips
    confidence_floor: float = 0.0  # lower bound of the confidence of detected keypoints
    min_part_score: float = 0.0  # of a part's box; parts below it are not visible and get no state

    def __post_init__(self) -> None:
        if not self.step_seconds > 0:
            raise ConfigError(f"tracks.step_seconds must be greater than 0, got {self.step_seconds}")
        for name in ("action_share", "confidence_floor", "min_part_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"tracks.{name} must be 0..1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Evidence:
    """Evidence of tracks for the actions: the weighted sum (A,) of probabilities over persons and frames."""

    sums: NDArray[np.float64]
    weight: float = 0.0  # sum of the weights

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.sums + other.sums, self.weight + other.weight)

    def scores(self) -> NDArray[np.float32]:
        """Return the mean probabilities (A,), which sum to 1; all equal without any evidence."""
        if self.weight <= 0:
            return np.full(len(self.sums), 1 / len(self.sums), np.float32)
        return np.asarray(self.sums / self.weight, np.float32)

    def by_action(self, actions: Sequence[str]) -> dict[str, float]:
        """Return the mean probability of each of the A actions, 0..1, by name."""
        return dict(zip(actions, map(float, self.scores()), strict=True))


@dataclass(frozen=True)
class TrackOutputs:
    """The network's outputs for N persons in their frames, in the order of tracks."""

    positions: tuple[tuple[int, int], ...]  # (N,) index of the frame, index of the person in it
    weights: NDArray[np.float64]  # (N,) weight of each person for the video's action
    action_scores: NDArray[np.float32]  # (N, A)
    state_scores: tuple[NDArray[np.float32], ...]  # (N, S) for each of the ten parts


class TrackRecognizer:
    """A network on keypoints with its labels: it maps sampled frames to evidence for the action and to states."""

    def __init__(
        self,
        net: TrackNet,
        actions: Sequence[str],
        states: Sequence[Sequence[str]],
        config: TracksConfig,
        *,
        max_batch: int = 512,
    ) -> None:
        """Wrap a network; `states` lists those of each of the ten parts, in the order of the network's outputs."""
        self.net = net
        self.actions = tuple(actions)
        self.states = tuple(map(tuple, states))
        self.config = config
        self.max_batch = max_batch
        self.device = next(net.parameters()).device

    @property
    def no_evidence(self) -> Evidence:
        """The evidence before the first frame: all actions are equally likely."""
        return Evidence(np.zeros(len(self.actions)))

    @property
    def reach_seconds(self) -> float:
        """Length of a window before, and also after, its middle."""
        return self.net.config.num_instants // 2 * self.config.step_seconds

    def evidence(self, frames: Sequence[FrameParse], *, first: int = 0) -> Evidence:
        """Return the evidence of the persons of `frames[first:]`; earlier frames only complete their tracks."""
        total = self.no_evidence
        for positions, features in self._features(frames, first):
            with inference(self.device, full_precision=True):
                scores = self.net.action_logits(features).softmax(dim=1).cpu().numpy()  # (n, A)
            weights = np.array([person_weight(frames[frame], person) for frame, person in positions])  # (n,)
            total += Evidence(weights @ scores, float(weights.sum()))
        return total

    def with_states(
        self, frames: Sequence[FrameParse], action_scores: NDArray[np.float32], *, first: int = 0
    ) -> list[FrameParse]:
        """Return `frames[first:]` with a state for every part of every person.

        Args:
            frames: sampled frames of one video, in the order of time, with track ids.
            action_scores: (A,) probabilities of the video's action.
            first: index of the first frame to return; earlier frames only complete the tracks.
        """
        return self.named(frames, self.read(frames, action_scores, first=first), first=first)

    def read(self, frames: Sequence[FrameParse], action_scores: NDArray[np.float32], *, first: int = 0) -> TrackOutputs:
        """Return the network's outputs for the persons of `frames[first:]`; arguments as in `with_states`."""
        given_scores = torch.from_numpy(np.asarray(action_scores, np.float32)).to(self.device)  # (A,)
        all_positions: list[tuple[int, int]] = []
        actions = [np.zeros((0, len(self.actions)), np.float32)]
        states = [[np.zeros((0, len(names)), np.float32)] for names in self.states]
        for positions, features in self._features(frames, first):
            with inference(self.device, full_precision=True):
                actions.append(self.net.action_logits(features).softmax(dim=1).cpu().numpy())
                for part, logits in enumerate(self.net.state_logits(features, given_scores.expand(len(features), -1))):
                    states[part].append(logits.softmax(dim=1).cpu().numpy())
            all_positions += positions
        return TrackOutputs(
            positions=tuple(all_positions),
            weights=np.array([person_weight(frames[frame], person) for frame, person in all_positions]),
            action_scores=np.concatenate(actions),
            state_scores=tuple(np.concatenate(part) for part in states),
        )

    def named(self, frames: Sequence[FrameParse], outputs: TrackOutputs, *, first: int = 0) -> list[FrameParse]:
        """Return `frames[first:]` with the likeliest states from `outputs`."""
        persons = [list(frame.persons) for frame in frames]
        for row, (frame, person) in enumerate(outputs.positions):
            scores = [part[row] for part in outputs.state_scores]
            persons[frame][person] = with_likeliest_states(
                persons[frame][person], scores, self.states, min_part_score=self.config.min_part_score
            )
        return [replace(frames[n], persons=tuple(persons[n])) for n in range(first, len(frames))]

    def _features(
        self, frames: Sequence[FrameParse], first: int
    ) -> Iterator[tuple[list[tuple[int, int]], torch.Tensor]]:
        """Yield (frame, person) indices of the persons of `frames[first:]` in batches, with their features (n, C)."""
        positions, windows = person_windows(
            frames,
            first=first,
            num_instants=self.net.config.num_instants,
            step_seconds=self.config.step_seconds,
        )
        windows = with_floor(windows, self.config.confidence_floor)
        for start in range(0, len(positions), self.max_batch):
            batch = torch.from_numpy(windows[start : start + self.max_batch]).to(self.device)
            with inference(self.device, full_precision=True):
                features = self.net.features(batch)  # (n, C)
            yield positions[start : start + self.max_batch], features


class FollowedTracks:
    """Incremental recognition on tracks: states depend only on the frames so far, and few of these are stored."""

    def __init__(
        self, recognizer: TrackRecognizer, *, condition_on_action: bool = True, memory_seconds: float = np.inf
    ) -> None:
        """Prepare; evidence counts for `memory_seconds`, and a source without an end needs such a limit."""
        self._recognizer = recognizer
        self._condition_on_action = condition_on_action
        self._memory_seconds = memory_seconds
        self._recent: list[FrameParse] = []  # the last frames, as many as windows need
        self._evidence: deque[tuple[float, Evidence]] = deque()  # (time of its last frame in seconds, evidence)

    def with_states(self, frames: Sequence[FrameParse]) -> list[FrameParse]:
        """Return the next frames of the video with a state for every part of every person."""
        if not frames:
            return []
        recognizer, first = self._recognizer, len(self._recent)
        available = [*self._recent, *frames]
        end_seconds = available[-1].time_seconds
        self._remember(end_seconds, recognizer.evidence(available, first=first))
        self._recent = [frame for frame in available if frame.time_seconds >= end_seconds - recognizer.reach_seconds]
        evidence = self.action_evidence if self._condition_on_action else recognizer.no_evidence
        return recognizer.with_states(available, evidence.scores(), first=first)

    def _remember(self, end_seconds: float, evidence: Evidence) -> None:
        """Add evidence from frames up to `end_seconds` and drop old evidence; without a limit keep only one sum."""
        if self._evidence and self._memory_seconds == np.inf:
            evidence += self._evidence.popleft()[1]
        self._evidence.append((end_seconds, evidence))
        while self._evidence[0][0] < end_seconds - self._memory_seconds:
            self._evidence.popleft()

    @property
    def action_evidence(self) -> Evidence:
        """The evidence of all frames that still count."""
        return self._sum(range(len(self._evidence)))

    @property
    def half_evidence(self) -> tuple[Evidence, ...]:
        """The evidence of the earlier and of the later half of these frames, without halves that show nobody."""
        count = len(self._evidence)
        halves = (self._sum(range(count // 2)), self._sum(range(count // 2, count)))
        return tuple(half for half in halves if half.weight > 0) if count > 1 else ()

    def _sum(self, indices: range) -> Evidence:
        return sum((self._evidence[index][1] for index in indices), start=self._recognizer.no_evidence)


def with_likeliest_states(
    person: PersonParse,
    scores: Sequence[NDArray[np.float32]],
    states: Sequence[Sequence[str]],
    *,
    min_part_score: float = 0.0,
) -> PersonParse:
    """Return the person with the likeliest state of each part.

    Args:
        person: with the boxes of the parts.
        scores: for each of the ten parts the probabilities (S,) of its states.
        states: their names.
        min_part_score: parts with a lower score get no state.
    """
    parts: list[PartParse] = []
    for part in person.parts:
        index = PART_INDEX[part.name]
        best = int(scores[index].argmax())
        is_visible = part.score >= min_part_score
        state = replace(part, state=states[index][best], state_score=float(scores[index][best]))
        parts.append(state if is_visible else part)
    return replace(person, parts=tuple(parts))


def person_weight(frame: FrameParse, index: int) -> float:
    """Return a person's weight: the box's area relative to the largest person's, times its score and mean confidence.

    The person who does the video's action is usually in front; bystanders are smaller and do something else.
    """
    person = frame.persons[index]
    share = _area(person) / max(_area(other) for other in frame.persons)
    return share * person.score * float(np.mean([confidence for _, _, confidence in person.keypoints]))


def _area(person: PersonParse) -> float:
    x1, y1, x2, y2 = person.box
    return max((x2 - x1) * (y2 - y1), 1.0)
